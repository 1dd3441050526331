use super::*;

const INTERVAL: Duration = Duration::from_secs(900);

fn unproven(names: &[&str]) -> Vec<Unproven> {
    names
        .iter()
        .map(|name| Unproven {
            key: Confirmation {
                provider: "p".into(),
                fingerprint: (*name).into(),
            },
            interval: INTERVAL,
        })
        .collect()
}

#[test]
fn a_new_key_is_asked_about_soon_and_then_every_interval() {
    for (random, first, again) in [(0, 0, 720), (u32::MAX, 1, 1080)] {
        let mut schedule = Schedule::default();
        let start = Time::from_millis(5_000);
        let (due, wait) = schedule.due(unproven(&["a"]), &Naming::Alone, start, || random);
        // With the smallest draw the first call is at once.
        assert_eq!(due.len(), usize::from(random == 0));
        let at = start.after(Duration::from_secs(first));
        if random == 0 {
            assert_eq!(wait, IDLE);
        } else {
            assert_eq!(wait, SPREAD);
            let (due, _) = schedule.due(unproven(&["a"]), &Naming::Alone, at, || random);
            assert_eq!(due.len(), 1);
        }
        let before = at.after(Duration::from_secs(again - 1));
        assert_eq!(
            schedule
                .due(unproven(&["a"]), &Naming::Alone, before, || random)
                .0,
            []
        );
        let then = at.after(Duration::from_secs(again));
        assert_eq!(
            schedule
                .due(unproven(&["a"]), &Naming::Alone, then, || random)
                .0
                .len(),
            1
        );
    }
}

#[test]
fn a_proven_key_is_forgotten_and_a_new_value_is_new() {
    let mut schedule = Schedule::default();
    let now = Time::from_millis(0);
    assert_eq!(
        schedule.due(unproven(&["a"]), &Naming::Alone, now, || 0).0.len(),
        1
    );
    assert_eq!(schedule.due(unproven(&[]), &Naming::Alone, now, || 0).0, []);
    assert_eq!(
        schedule.due(unproven(&["b"]), &Naming::Alone, now, || 0).0.len(),
        1
    );
    // It was proven in between: what is unproven again is a first validation again.
    assert_eq!(
        schedule
            .due(unproven(&["a", "b"]), &Naming::Alone, now, || 0)
            .0
            .len(),
        1
    );
}

#[test]
fn a_call_without_an_answer_is_made_again_soon_and_then_less_often() {
    let mut schedule = Schedule::default();
    let key = unproven(&["a"])[0].key.clone();
    let mut now = Time::ZERO;
    assert_eq!(
        schedule.due(unproven(&["a"]), &Naming::Alone, now, || 0).0.len(),
        1
    );
    let middle = u32::MAX / 2;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        schedule.ended(&key, false, now, middle);
        let (due, wait) = schedule.due(unproven(&["a"]), &Naming::Alone, now, || 0);
        assert_eq!(due, []);
        let mut waited = wait;
        while schedule
            .due(unproven(&["a"]), &Naming::Alone, now.after(waited), || 0)
            .0
            .is_empty()
        {
            waited += IDLE.min(Duration::from_millis(100));
        }
        pauses.push(waited.as_secs_f64().round());
        now = now.after(waited);
    }
    assert_eq!(
        pauses[..9],
        [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]
    );
    assert_eq!(pauses[9..], [900.0, 900.0, 900.0]);
    // An answer that proves nothing begins the count anew.
    schedule.ended(&key, true, now, middle);
    schedule.ended(&key, false, now, middle);
    let (_, wait) = schedule.due(unproven(&["a"]), &Naming::Alone, now, || 0);
    assert!((1.9..2.1).contains(&wait.as_secs_f64()), "{wait:?}");
    schedule.ended(&unproven(&["gone"])[0].key, false, now, middle);
}

const SOON: Duration = Duration::from_secs(1);
/// As long as a leader may be silent.
const SILENCE: Duration = Duration::from_secs(60);

fn led(named: &[&str], heard: Time) -> Naming {
    let mut naming = Naming::Awaited { since: Time::ZERO };
    naming.name(unproven(named).into_iter().map(|key| key.key).collect(), heard);
    naming
}

fn names(due: &[Confirmation]) -> Vec<&str> {
    due.iter().map(|key| &*key.fingerprint).collect()
}

#[test]
fn a_pod_that_is_led_asks_at_once_about_what_was_named_for_it_and_about_nothing_else() {
    let mut schedule = Schedule::default();
    let now = Time::from_millis(5_000);
    let keys = || unproven(&["a", "b"]);
    let (due, wait) = schedule.due(keys(), &led(&[], now), now, || u32::MAX);
    assert_eq!((due.len(), wait), (0, SILENCE));
    let (due, _) = schedule.due(keys(), &led(&["b", "gone"], now), now, || u32::MAX);
    assert_eq!(names(&due), ["b"], "without a spread: nobody else asks");
    // Named for another pod in between, and back: the interval goes on.
    let later = now.after(SOON);
    assert_eq!(schedule.due(keys(), &led(&[], later), later, || 0).0, []);
    assert_eq!(
        names(&schedule.due(keys(), &led(&["a", "b"], later), later, || 0).0),
        ["a"]
    );
}

#[test]
fn a_pod_that_waits_to_ask_hears_that_it_need_not() {
    let mut schedule = Schedule::default();
    let now = Time::from_millis(5_000);
    schedule.due(unproven(&["a"]), &Naming::Alone, now, || u32::MAX);
    // A leader comes before the call: it names another pod.
    let then = now.after(SOON);
    assert_eq!(schedule.due(unproven(&["a"]), &led(&[], then), then, || 0).0, []);
    let named = led(&["a"], then);
    assert_eq!(schedule.due(unproven(&["a"]), &named, then, || 0).0.len(), 1);
    // The call waits for others to end; its name is taken back and given again.
    let key = &unproven(&["a"])[0].key;
    assert!(schedule.begins(key, &named, then));
    assert!(!schedule.begins(key, &led(&[], then), then));
    assert_eq!(
        schedule.due(unproven(&["a"]), &named, then, || 0).0.len(),
        1,
        "no call was made"
    );
    schedule.due(unproven(&[]), &named, then, || 0);
    assert!(!schedule.begins(key, &named, then), "it was proven meanwhile");
}

#[test]
fn a_pod_whose_leader_does_not_come_waits_first() {
    let mut schedule = Schedule::default();
    let start = Time::from_millis(5_000);
    let mut naming = Naming::Awaited { since: start };
    let (due, wait) = schedule.due(unproven(&["a"]), &naming, start, || 0);
    assert_eq!((due.len(), wait), (0, SILENCE));
    let left = start.after(SILENCE);
    // One that speaks and never names does not count.
    naming.hear(left);
    assert_eq!(schedule.due(unproven(&["a"]), &naming, left, || u32::MAX).0, []);
    let (due, _) = schedule.due(unproven(&["a"]), &naming, left.after(INTERVAL), || u32::MAX);
    assert_eq!(names(&due), ["a"]);
}

#[test]
fn without_its_leader_a_pod_goes_on_and_takes_its_time_for_the_rest() {
    let mut schedule = Schedule::default();
    let heard = Time::from_millis(5_000);
    let mut naming = led(&["mine"], heard);
    let keys = || unproven(&["mine", "other"]);
    assert_eq!(names(&schedule.due(keys(), &naming, heard, || 0).0), ["mine"]);
    let before = heard.after(SILENCE - SOON);
    let (due, wait) = schedule.due(keys(), &naming, before, || u32::MAX);
    assert_eq!(
        (due.len(), wait),
        (0, SOON),
        "looked at when the silence is too long"
    );
    let left = heard.after(SILENCE);
    assert_eq!(schedule.due(keys(), &naming, left, || u32::MAX).0, []);
    let mut asked = Vec::new();
    let mut now = left;
    while now <= left.after(INTERVAL) {
        let (due, wait) = schedule.due(keys(), &naming, now, || u32::MAX);
        asked.extend(names(&due).into_iter().map(str::to_owned));
        now = now.after(wait);
    }
    asked.sort();
    assert_eq!(asked, ["mine", "other"], "each once in an interval");
    // One word of a leader is enough: nothing but what was named before, until it names anew.
    naming.hear(now);
    assert_eq!(naming.turn(&unproven(&["other"])[0].key, now), Turn::Never);
    assert_eq!(naming.turn(&unproven(&["mine"])[0].key, now), Turn::Now);
}
