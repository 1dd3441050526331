//! The picker alone: one pick and its settlement, for 10 and 1,000 targets, alone and from two threads that share the lock as the proxy's pool does.
//! The bar (P13): about 250 ns and 1 µs for the pick.

#![allow(clippy::panic)]

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use keypool_balance::config::{
    Ambiguous, CooldownConfig, CredentialConfig, GroupConfig, MemberConfig, ProviderConfig, RetryConfig,
    Strategy,
};
use keypool_balance::{Attempts, Balancer, Config, MemberSet, Observation, Proof, Reach, Request, Time};

const ANY: Request = Request {
    group: 0,
    members: MemberSet::ALL,
    streamed: true,
};

fn config(members: usize, keys: usize) -> Config {
    let credential = |index: usize| CredentialConfig {
        name: index.to_string().into(),
        fingerprint: format!("{index:08x}").into(),
        weight: 1 + index as u32 % 5,
        priority: 0,
        enabled: true,
        quota_group: None,
        models: Vec::new(),
    };
    let provider = |index: usize| ProviderConfig {
        uid: format!("provider-{index}").into(),
        cooldown: CooldownConfig {
            initial: Duration::from_secs(60),
            max: Duration::from_secs(900),
        },
        probe_interval: Some(Duration::from_secs(900)),
        stream_lease: Duration::from_secs(120),
        response_lease: Duration::from_secs(600),
        credentials: (0..keys).map(credential).collect(),
    };
    let member = |index: usize| MemberConfig {
        name: format!("member-{index}").into(),
        provider: format!("provider-{index}").into(),
        model: "gpt-4.1".into(),
        priority: 0,
        weight: 1 + index as u32 % 3,
    };
    Config {
        providers: (0..members).map(provider).collect(),
        groups: vec![GroupConfig {
            name: "chat".into(),
            members: (0..members).map(member).collect(),
            strategy: Strategy::WeightedRoundRobin,
            retry: RetryConfig {
                attempts: 3,
                deadline: Duration::from_secs(60),
                ambiguous: Ambiguous::Never,
            },
        }],
    }
}

fn started(members: usize, keys: usize) -> Balancer {
    match Balancer::new(config(members, keys), 7, Time::ZERO) {
        Ok(balancer) => balancer,
        Err(error) => panic!("{error}"),
    }
}

/// One request a microsecond, all good.
fn serve(balancer: &mut Balancer, now: &mut u64) {
    *now += 1_000;
    let now = Time::from_nanos(*now);
    let mut attempts = Attempts::new(now);
    if let Ok(pick) = balancer.pick(ANY, &mut attempts, now) {
        balancer.settle(&pick.ticket, Observation::Success, &mut attempts, now);
        black_box(pick.credential);
    }
}

fn pick(criterion: &mut Criterion) {
    for (members, keys) in [(1, 10), (2, 5), (1, 1_000), (4, 250), (32, 32)] {
        let name = format!("{members}x{keys}");
        let mut balancer = started(members, keys);
        let mut now = 0;
        criterion.bench_function(&format!("pick {name}"), |bencher| {
            bencher.iter(|| {
                now += 1_000;
                let now = Time::from_nanos(now);
                let mut attempts = Attempts::new(now);
                black_box(balancer.pick(ANY, &mut attempts, now).is_ok())
            });
        });
        let mut balancer = started(members, keys);
        let mut now = 0;
        criterion.bench_function(&format!("pick+settle {name}"), |bencher| {
            bencher.iter(|| serve(&mut balancer, &mut now));
        });
    }
}

/// Every hundredth request finds its key limited for a second, so that sets change all the time.
fn storm(criterion: &mut Criterion) {
    for (members, keys) in [(2, 5), (4, 250)] {
        let mut balancer = started(members, keys);
        let (mut now, mut count) = (0u64, 0u32);
        criterion.bench_function(&format!("storm {members}x{keys}"), |bencher| {
            bencher.iter(|| {
                now += 1_000_000;
                count += 1;
                let now = Time::from_nanos(now);
                let mut attempts = Attempts::new(now);
                if let Ok(pick) = balancer.pick(ANY, &mut attempts, now) {
                    let limited = Observation::Rate {
                        hint: Some(Duration::from_secs(1)),
                        reach: Reach::Model,
                        proof: Proof::MachineCode,
                    };
                    let observation = if count % 100 == 0 {
                        limited
                    } else {
                        Observation::Success
                    };
                    balancer.settle(&pick.ticket, observation, &mut attempts, now);
                }
                balancer.take_changes()
            });
        });
    }
}

fn two_threads(criterion: &mut Criterion) {
    for (members, keys) in [(2, 5), (4, 250)] {
        let shared = Mutex::new((started(members, keys), 0u64));
        criterion.bench_function(&format!("2 threads {members}x{keys}"), |bencher| {
            bencher.iter_custom(|rounds| {
                let work = || {
                    for _ in 0..rounds {
                        if let Ok(mut held) = shared.lock() {
                            let (balancer, now) = &mut *held;
                            serve(balancer, now);
                        }
                    }
                };
                let start = Instant::now();
                std::thread::scope(|scope| {
                    scope.spawn(work);
                    scope.spawn(work);
                });
                start.elapsed() / 2
            });
        });
    }
}

criterion_group!(benches, pick, storm, two_threads);
criterion_main!(benches);
