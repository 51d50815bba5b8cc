//! The lower convex hull of points that come one at a time, in a bounded number of vertices.
//!
//! Beyond the bound the vertex that changes the hull least is left out. The hull then lies a little above
//! the points, so a limit read from it is looser, never wrong.

/// Hulls of random points have a dozen vertices; so many come from a clock whose rate changes.
const BOUND: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub t: i64,
    pub y: i64,
}

/// The vertices, by ascending t; the slopes between them ascend too.
#[derive(Clone, Debug, Default)]
pub(super) struct Hull(Vec<Point>);

impl Hull {
    pub(super) fn insert(&mut self, point: Point) {
        let vertices = &mut self.0;
        let place = vertices.partition_point(|vertex| vertex.t < point.t);
        if vertices.get(place).is_some_and(|vertex| vertex.t == point.t) {
            if vertices[place].y <= point.y {
                return;
            }
            vertices.remove(place);
        } else if 0 < place && place < vertices.len() && !below(vertices[place - 1], point, vertices[place]) {
            return;
        }
        vertices.insert(place, point);
        while place + 2 < vertices.len() && !below(point, vertices[place + 1], vertices[place + 2]) {
            vertices.remove(place + 1);
        }
        let mut place = place;
        while place >= 2 && !below(vertices[place - 2], vertices[place - 1], point) {
            vertices.remove(place - 1);
            place -= 1;
        }
        if vertices.len() > BOUND {
            self.thin();
        }
    }

    pub(super) fn vertices(&self) -> &[Point] {
        &self.0
    }

    /// The height at t = 0 of the highest line of this slope that no point lies below.
    pub(super) fn support(&self, slope: f64) -> f64 {
        let heights = self.0.iter().map(|vertex| vertex.y as f64 - slope * vertex.t as f64);
        heights.fold(f64::INFINITY, f64::min)
    }

    /// The slope of the hull just right of t; before its first vertex and after its last it is
    /// infinite, as nothing limits a line there.
    pub(super) fn slope_at(&self, t: f64) -> f64 {
        let place = self.0.partition_point(|vertex| vertex.t as f64 <= t);
        match (place.checked_sub(1), self.0.get(place)) {
            (None, _) => f64::NEG_INFINITY,
            (_, None) => f64::INFINITY,
            (Some(left), Some(right)) => slope(self.0[left], *right),
        }
    }

    /// Leaves out the inner vertex that lies least below the line between its neighbours.
    fn thin(&mut self) {
        let depth = |w: &[Point]| {
            let along = (w[1].t - w[0].t) as f64;
            w[0].y as f64 + slope(w[0], w[2]) * along - w[1].y as f64
        };
        let depths = self.0.windows(3).map(depth).enumerate();
        if let Some((before, _)) = depths.min_by(|a, b| a.1.total_cmp(&b.1)) {
            self.0.remove(before + 1);
        }
    }
}

fn slope(a: Point, b: Point) -> f64 {
    (i128::from(b.y) - i128::from(a.y)) as f64 / (i128::from(b.t) - i128::from(a.t)) as f64
}

/// Whether b lies below the line from a to c. Whole numbers, so that no rounding decides.
fn below(a: Point, b: Point, c: Point) -> bool {
    let (ab_t, ab_y) = (i128::from(b.t) - i128::from(a.t), i128::from(b.y) - i128::from(a.y));
    let (ac_t, ac_y) = (i128::from(c.t) - i128::from(a.t), i128::from(c.y) - i128::from(a.y));
    ab_y.saturating_mul(ac_t) < ac_y.saturating_mul(ab_t)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(points: &[(i64, i64)]) -> Hull {
        let mut hull = Hull::default();
        points.iter().for_each(|(t, y)| hull.insert(Point { t: *t, y: *y }));
        hull
    }

    #[test]
    fn beyond_its_ends_nothing_limits_a_line() {
        let hull = of(&[(0, 5), (10, 0), (20, 5)]);
        assert_eq!(
            [-1.0, 0.0, 10.0, 20.0].map(|t| hull.slope_at(t)),
            [f64::NEG_INFINITY, -0.5, 0.5, f64::INFINITY]
        );
        assert_eq!((hull.support(0.0), hull.support(1.0)), (0.0, -15.0));
    }

    #[test]
    fn a_bend_takes_no_more_than_the_bound_and_no_point_is_below_the_true_hull() {
        let bend: Vec<(i64, i64)> = (-2000..2000).map(|t| (t, t * t)).collect();
        let hull = of(&bend);
        assert_eq!(hull.vertices().len(), BOUND);
        for slope in [-3000.0, -77.0, 0.0, 500.0] {
            let exact = bend.iter().map(|(t, y)| *y as f64 - slope * *t as f64).fold(f64::MAX, f64::min);
            // 4000 points on 128 vertices: some 32 apart, so the chord is up to 16^2 above, or 4 times that
            // where the thinning was unlucky.
            assert!((0.0..1024.0).contains(&(hull.support(slope) - exact)), "{slope}");
        }
    }

    proptest! {
        /// A vertex is a point that lies below every line between two others around it.
        #[test]
        fn agrees_with_all_the_pairs(points in vec((0_i64..60, -40_i64..40), 1..60)) {
            let at = |(t, y): (i64, i64)| Point { t, y };
            let covered = |p: (i64, i64)| points.iter().any(|a| {
                (a.0 == p.0 && a.1 < p.1)
                    || points.iter().any(|c| {
                        a.0 < p.0 && p.0 < c.0 && (p.1 - a.1) * (c.0 - a.0) >= (c.1 - a.1) * (p.0 - a.0)
                    })
            });
            let mut expected: Vec<Point> =
                points.iter().filter(|p| !covered(**p)).map(|p| at(*p)).collect();
            expected.sort_by_key(|point| point.t);
            expected.dedup();
            let hull = of(&points);
            prop_assert_eq!(hull.vertices(), expected);
        }
    }
}
