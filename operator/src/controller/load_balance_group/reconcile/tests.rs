use super::*;
use crate::controller::model_provider;
use crate::controller::survey;
use crate::fixtures::api::Led;
use crate::fixtures::{CHAT, OPENAI, VLLM, group, provider};

#[tokio::test]
async fn a_member_that_goes_shows_in_its_provider() {
    let mut led = Led::new();
    for provider in [provider("openai", OPENAI), provider("vllm", VLLM)] {
        led.provider(&provider);
    }
    let both = group("chat", CHAT);
    let mut one = both.clone();
    one.spec.members.pop();
    one.metadata.generation = Some(3);
    let mut other_model = one.clone();
    other_model.spec.members[0].model = "gpt-5".into();

    for (group, woken, users_of_vllm) in [
        (&both, &["group chat", "provider openai", "provider vllm"][..], 1),
        (&both, &["group chat"], 1),
        (&one, &["group chat", "provider vllm"], 0),
        (&other_model, &["group chat", "provider openai"], 0),
    ] {
        led.group(group);
        reconcile(&led.context, Arc::new(group.clone())).await.unwrap();
        assert_eq!(led.surveyed(), woken);
        let vllm = Arc::new(provider("vllm", VLLM));
        model_provider::reconcile::look(&led.context, &vllm)
            .await
            .unwrap()
            .unwrap();
        let view = led.context.views.provider(&ObjectId::of(vllm.as_ref())).unwrap();
        let (status, _) = survey::of_provider(&led.context, &view, led.context.clock.now());
        assert_eq!(status.used_by.map(|used| used.count), Some(users_of_vllm));
    }
}
