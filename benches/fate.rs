//! What it costs to decide what happens to a probe.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use udpecho::impair::{Impairment, SessionLinks, profiles};
use udpecho::time::{Duration, Instant};

fn fates(c: &mut Criterion) {
    let mut group = c.benchmark_group("fate");
    for profile in profiles() {
        group.bench_function(profile.name, |b| in_order(b, &Impairment::of_profile(profile)));
    }
    for line in ["delay=exponential:20ms", "delay=pareto:10ms,shape=2.5", "loss=gilbert:p=1%,r=25%"] {
        group.bench_function(line, |b| in_order(b, &line.parse().expect("a valid line")));
    }
    group.finish();
}

fn in_order(b: &mut criterion::Bencher<'_>, impairment: &Impairment) {
    let mut links = SessionLinks::new(impairment.clone(), 7);
    let mut seq = 0;
    b.iter(|| {
        seq += 1;
        let now = Instant::ZERO + Duration::from_millis(10) * seq;
        black_box(links.admit(now, seq as u64, 512))
    });
}

criterion_group!(benches, fates);
criterion_main!(benches);
