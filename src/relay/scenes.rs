//! Plays the scenarios of a relay's mappings: each flow enters the step of its time when its next datagram arrives; ports
//! close and open on time.

use super::flow::FlowId;
use super::scenario::ScenarioClock;
use super::{Event, MappingId, Relay};
use crate::impair::Direction;
use crate::time::Instant;

/// The step of a scenario as a datagram meets it, besides its line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scene {
    /// Up, then down.
    pub(super) dark: [bool; 2],
    /// The port is closed for this flow alone.
    pub(super) is_down: bool,
}

impl Relay {
    /// A datagram arrived at this mapping: its scenario may begin.
    pub(super) fn note_arrival(&mut self, now: Instant, mapping: MappingId) {
        let of = &mut self.mappings[mapping];
        if of.began.is_none() {
            of.began = Some(now);
            self.next_scene = of.settings.scenario.as_ref().map(|_| now).or(self.next_scene);
        }
    }

    /// The step for a datagram of this flow that arrives now; the flow's lines follow.
    pub(super) fn enter_scene(&mut self, now: Instant, mapping: MappingId, id: FlowId) -> Scene {
        let of = &self.mappings[mapping];
        let Some(scenario) = of.settings.scenario.as_ref() else { return Scene::default() };
        let Some(flow) = self.flows.get_mut(id) else { return Scene::default() };
        let began = match scenario.clock {
            ScenarioClock::Start => self.began,
            ScenarioClock::First => of.began.unwrap_or(now),
            ScenarioClock::Flow => flow.opened,
        };
        let (visit, _) = scenario.at(now - began);
        let step = scenario.step(visit);
        if flow.visit.is_some_and(|before| before < visit && scenario.rebinds(before, visit)) {
            flow.nat.rebind();
        }
        if flow.visit != Some(visit) || !flow.has_its_lines {
            (flow.visit, flow.has_its_lines) = (Some(visit), true);
            flow.nat.set(step.nat.as_ref().unwrap_or(&of.settings.nat), now);
            for direction in [Direction::Up, Direction::Down] {
                if !flow.is_own[direction.index()] {
                    let line = of.settings.line(step.line(direction), &flow.client, id.ordinal(), direction);
                    flow.set_line(now, direction, line);
                }
            }
            self.flows.note_end(id);
        }
        Scene { dark: step.dark, is_down: step.is_down && scenario.clock == ScenarioClock::Flow }
    }

    /// Closes and opens ports as the steps of this moment say.
    pub(super) fn play(&mut self, now: Instant) {
        if self.next_scene.is_none_or(|at| at > now) {
            return;
        }
        self.next_scene = None;
        for (mapping, of) in self.mappings.iter_mut().enumerate() {
            let Some(scenario) = of.settings.scenario.as_ref() else { continue };
            let began = match scenario.clock {
                ScenarioClock::Start => self.began,
                ScenarioClock::First => match of.began {
                    Some(first) => first,
                    None => continue,
                },
                ScenarioClock::Flow => continue,
            };
            let (visit, until) = scenario.at(now - began);
            let down = scenario.step(visit).is_down;
            if std::mem::replace(&mut of.scene_down, down) != down {
                self.events.push(Event::StateChanged { mapping, down });
            }
            let next = began + until;
            self.next_scene = Some(self.next_scene.map_or(next, |at| at.min(next)));
        }
    }
}
