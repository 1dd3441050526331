//! Prometheus text, as a pod gives it.

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of the sample with this name and all of these labels, others
    /// aside.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut samples = self.text.lines().filter(|line| !line.starts_with('#'));
        samples.find_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (series_name, rest) = series.split_once('{').unwrap_or((series, ""));
            let has = |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
            (series_name == name && labels.iter().all(has))
                .then(|| value.parse().ok())
                .flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_labels() {
        let text = "# HELP a b\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4.5\nc 7\n";
        let metrics = Metrics::new(text.to_owned());
        assert_eq!(metrics.value("a", &[("y", "3")]), Some(4.5));
        assert_eq!(metrics.value("c", &[]), Some(7.0));
        assert_eq!(metrics.value("a", &[("y", "4")]), None);
    }
}
