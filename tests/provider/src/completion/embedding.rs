//! Embeddings: one vector for each input, as floats or as base64 (which the official Python client asks for).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::digest::mix;
use crate::request::Ask;

const DEFAULT_DIMENSIONS: u64 = 16;

pub(crate) fn embeddings(print: u64, ask: &Ask, prompt_tokens: u64) -> String {
    let dimensions = ask.dimensions.unwrap_or(DEFAULT_DIMENSIONS).clamp(1, 4096);
    let base64 = ask.encoding_format.as_deref() == Some("base64");
    let data: Vec<Value> = (0..inputs(ask.input.as_ref()))
        .map(|index| {
            let vector: Vec<f32> = (0..dimensions).map(|d| component(print, index, d)).collect();
            let embedding = if base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                Value::from(STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens});
    json!({"object": "list", "data": data, "model": ask.model, "usage": usage}).to_string()
}

/// A multiple of 1/1024 in [-1, 1), which floats of any width hold exactly.
fn component(print: u64, index: u64, dimension: u64) -> f32 {
    (mix(print ^ mix(index << 16 | dimension)) % 2048) as f32 / 1024.0 - 1.0
}

/// A text, a list of texts, a list of tokens, or a list of those lists.
fn inputs(input: Option<&Value>) -> u64 {
    match input {
        Some(Value::Array(items)) if items.first().is_some_and(|item| !item.is_number()) => {
            items.len() as u64
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted_in_all_four_shapes() {
        for (input, count) in [
            (json!("a"), 1),
            (json!(["a", "b"]), 2),
            (json!([1, 2]), 1),
            (json!([[1], [2]]), 2),
        ] {
            assert_eq!(inputs(Some(&input)), count, "{input}");
        }
    }

    #[test]
    fn base64_holds_the_same_numbers() {
        let mut ask = Ask {
            input: Some(json!(["a", "b"])),
            dimensions: Some(3),
            ..Ask::default()
        };
        let plain: Value = serde_json::from_str(&embeddings(5, &ask, 1)).unwrap();
        ask.encoding_format = Some("base64".to_owned());
        let coded: Value = serde_json::from_str(&embeddings(5, &ask, 1)).unwrap();
        let bytes = STANDARD
            .decode(coded["data"][1]["embedding"].as_str().unwrap())
            .unwrap();
        let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(
            plain["data"][1]["embedding"][0].as_f64().unwrap(),
            f64::from(first)
        );
    }
}
