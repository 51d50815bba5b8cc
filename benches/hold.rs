//! What it costs to hold a reply and to release it, beside a heap that does the same; reports the
//! time of one such pair with so many held at once, their delays those of plain `serve`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use udpecho::impair::HoldQueue;
use udpecho::rng::Stream;
use udpecho::time::{Duration, Instant};

/// What the server holds with each reply, without its payload: an address, a few numbers.
type Item = [u64; 6];

fn pairs(c: &mut Criterion) {
    let mut group = c.benchmark_group("hold and release");
    for held in [1_000, 10_000, 100_000, 1_000_000_u64] {
        group.bench_with_input(BenchmarkId::new("wheel", held), &held, |b, &held| {
            let delays = delays();
            let mut queue = HoldQueue::<Item>::new();
            // The clock stands at zero while the queue fills.
            queue.pop_due(Instant::ZERO);
            (0..held).for_each(|k| queue.push(due(Instant::ZERO, &delays, k), [k; 6]));
            let mut k = held;
            b.iter(|| {
                let now = queue.next_due().unwrap_or_default();
                let (due_at, item) = queue.pop_due(now).expect("as many are held as before");
                queue.push(due(due_at, &delays, k), item);
                k += 1;
            });
        });
        group.bench_with_input(BenchmarkId::new("heap", held), &held, |b, &held| {
            let delays = delays();
            let push =
                |heap: &mut BinaryHeap<_>, now, k, item| heap.push(Reverse((due(now, &delays, k), k, item)));
            let mut heap = BinaryHeap::<Reverse<(Instant, u64, Item)>>::new();
            (0..held).for_each(|k| push(&mut heap, Instant::ZERO, k, [k; 6]));
            let mut k = held;
            b.iter(|| {
                let Reverse((now, _, item)) = heap.pop().expect("as many are held as before");
                push(&mut heap, black_box(now), k, item);
                k += 1;
            });
        });
    }
    group.finish();
}

/// A table, so that drawing costs next to nothing.
fn delays() -> Vec<Duration> {
    let stream = Stream::new(7, "delay");
    (0..1 << 16).map(|k| Duration::from_millis(500).mul_f64(stream.unit(k))).collect()
}

fn due(now: Instant, delays: &[Duration], k: u64) -> Instant {
    now + delays[k as usize & (delays.len() - 1)]
}

criterion_group!(benches, pairs);
criterion_main!(benches);
