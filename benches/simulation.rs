//! How many probes the simulated network carries in a second of real time, on one core.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use udpecho::impair::Impairment;
use udpecho::probe::Settings;
use udpecho::reflect::{self, Injection};
use udpecho::sim::{Conditions, Simulation};
use udpecho::time::Duration;
use udpecho::units::Interval;

const PROBES: u64 = 20_000;

fn run(impairment: Impairment) {
    let path = Conditions::impaired("delay=uniform:10ms..30ms loss=1%");
    let server =
        reflect::Settings { injection: Injection::steady(impairment), ..reflect::Settings::default() };
    let mut simulation = Simulation::new(server, path.clone(), path, 1);
    simulation.add_client(Settings {
        size: 64,
        count: Some(PROBES),
        deadline: Some(Duration::from_millis(100)),
        ..Settings::every(Interval::new(Duration::from_millis(1)).unwrap(), 1)
    });
    simulation.record_nothing();
    simulation.run(Duration::from_secs(60));
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulated probes");
    group.throughput(Throughput::Elements(PROBES)).sample_size(20);
    group.bench_function("clean", |bencher| bencher.iter(|| run(Impairment::clean())));
    group.bench_function("classic", |bencher| bencher.iter(|| run(Impairment::classic())));
    group.finish();
}

criterion_group!(simulation, benches);
criterion_main!(simulation);
