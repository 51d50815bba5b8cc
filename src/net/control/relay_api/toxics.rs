//! A toxic in JSON, as Toxiproxy has it.

use serde_json::{Map, Value, json};

use super::{Refusal, short_line, text};
use crate::impair::Direction;
use crate::relay::{Toxic, ToxicKind};

pub(super) fn to_json(toxic: &Toxic) -> Value {
    let attributes = match &toxic.kind {
        ToxicKind::Latency { latency, jitter } => json!({ "latency": latency, "jitter": jitter }),
        ToxicKind::Bandwidth { rate } => json!({ "rate": rate }),
        ToxicKind::Timeout { timeout } => json!({ "timeout": timeout }),
        ToxicKind::LimitData { bytes } => json!({ "bytes": bytes }),
        ToxicKind::PacketLoss { loss_rate, correlation } => {
            json!({ "loss_rate": loss_rate, "correlation": correlation })
        }
        ToxicKind::Line { line } => json!({ "line": line }),
    };
    json!({
        "attributes": attributes,
        "name": toxic.name,
        "type": toxic.kind.label(),
        "stream": stream(toxic.direction),
        "toxicity": whole_if_it_is(toxic.toxicity),
    })
}

/// Go writes 1, not 1.0.
fn whole_if_it_is(number: f64) -> Value {
    if number == 1.0 { 1.into() } else { number.into() }
}

/// Reads a new toxic.
pub(super) fn from_json(wanted: &Value) -> Result<Toxic, Refusal> {
    // The client of noxious writes `direction`.
    let stream_name = text(wanted, "stream")?.or(text(wanted, "direction")?);
    let stream_name = stream_name.filter(|stream| !stream.is_empty());
    let direction = match stream_name.as_deref() {
        None | Some("downstream") => Direction::Down,
        Some("upstream") => Direction::Up,
        Some(_) => {
            return Err(Refusal::bad("stream was invalid, can be either upstream or downstream"));
        }
    };
    let label = text(wanted, "type")?.unwrap_or_default();
    let name = text(wanted, "name")?.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| format!("{label}_{}", stream(direction)));
    let attributes = object(wanted)?;
    let kind = kind(&label, &attributes)?;
    made(name, direction, toxicity(wanted)?.unwrap_or(1.0), kind)
}

/// A toxic with other attributes or another toxicity; what is not named stays.
pub(super) fn changed(toxic: &Toxic, wanted: &Value) -> Result<Toxic, Refusal> {
    let mut attributes = object(&to_json(toxic))?;
    attributes.extend(object(wanted)?);
    let kind = kind(toxic.kind.label(), &attributes)?;
    made(toxic.name.clone(), toxic.direction, toxicity(wanted)?.unwrap_or(toxic.toxicity), kind)
}

/// Kinds and streams bound the number of a mapping's toxics, and this the size of each.
fn check_name(name: &str) -> Result<(), Refusal> {
    const LONGEST: usize = 64;
    match name.len() <= LONGEST && !name.contains(char::is_control) {
        true => Ok(()),
        false => Err(Refusal::bad(format!("name: at most {LONGEST} bytes, without control characters"))),
    }
}

fn made(name: String, direction: Direction, toxicity: f64, kind: ToxicKind) -> Result<Toxic, Refusal> {
    check_name(&name)?;
    Toxic::new(name, direction, toxicity, kind).map_err(|error| Refusal::bad(error.to_string()))
}

fn kind(label: &str, attributes: &Map<String, Value>) -> Result<ToxicKind, Refusal> {
    let number = |key| number(attributes, key);
    let whole = |key| whole(attributes, key);
    let no_connection = |why: &str| Err(Refusal::bad(format!("invalid toxic type: {label}: {why}")));
    Ok(match label {
        "latency" => ToxicKind::Latency { latency: whole("latency")?, jitter: whole("jitter")? },
        "bandwidth" => ToxicKind::Bandwidth { rate: whole("rate")? },
        "timeout" => ToxicKind::Timeout { timeout: whole("timeout")? },
        "limit_data" => ToxicKind::LimitData { bytes: whole("bytes")? },
        "packet_loss" => {
            ToxicKind::PacketLoss { loss_rate: number("loss_rate")?, correlation: number("correlation")? }
        }
        "udpecho" => ToxicKind::Line {
            line: match attributes.get("line") {
                Some(Value::String(line)) => short_line(line).map(|()| line.clone())?,
                _ => return Err(Refusal::bad("attributes: line is missing; for example \"loss=1%\"")),
            },
        },
        "slow_close" | "reset_peer" => return no_connection("UDP has no connection to close"),
        "slicer" => return no_connection("a datagram that is cut in two is two other datagrams"),
        _ => return Err(Refusal::bad("invalid toxic type")),
    })
}

fn object(wanted: &Value) -> Result<Map<String, Value>, Refusal> {
    match wanted.get("attributes") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(attributes)) => Ok(attributes.clone()),
        Some(_) => Err(Refusal::bad("bad request body: attributes must be an object")),
    }
}

/// A number that is not there is zero, as in Toxiproxy.
fn number(attributes: &Map<String, Value>, key: &str) -> Result<f64, Refusal> {
    let value = attributes.get(key).map_or(Some(0.0), Value::as_f64);
    value
        .filter(|number| *number >= 0.0)
        .ok_or_else(|| Refusal::bad(format!("bad request body: {key} must be a number of at least 0")))
}

fn whole(attributes: &Map<String, Value>, key: &str) -> Result<u64, Refusal> {
    const MOST: f64 = 1e15;
    let number = number(attributes, key)?;
    if number.fract() == 0.0 && number <= MOST {
        Ok(number as u64)
    } else {
        Err(Refusal::bad(format!("bad request body: {key} must be a whole number")))
    }
}

fn toxicity(wanted: &Value) -> Result<Option<f64>, Refusal> {
    let Some(value) = wanted.get("toxicity").filter(|value| !value.is_null()) else { return Ok(None) };
    let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
    share.map(Some).ok_or_else(|| Refusal::bad("bad request body: toxicity must be from 0 to 1"))
}

fn stream(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "upstream",
        Direction::Down => "downstream",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<f64>().prop_map(|number| json!(number)),
            any::<u64>().prop_map(|number| json!(number)),
            any::<i64>().prop_map(|number| json!(number)),
            Just(json!(null)),
            Just(json!([1])),
            Just(json!({ "line": "loss=1%" })),
            "[a-z=%:0-9,]{0,12}".prop_map(|text| json!(text)),
        ]
    }

    proptest! {
        /// A toxic is read and shows itself, or is refused: nothing else happens, whatever is sent.
        #[test]
        fn any_json_is_a_toxic_or_is_refused(
            label in prop_oneof!["(latency|bandwidth|timeout|limit_data|packet_loss|udpecho)", "[a-z_]{0,9}"],
            keys in proptest::collection::vec(
                ("(latency|jitter|rate|timeout|bytes|loss_rate|correlation|line)", any_value()), 0..4),
            toxicity in any_value(), stream in any_value(),
        ) {
            let attributes: Map<String, Value> = keys.into_iter().collect();
            let wanted = json!({ "type": label, "toxicity": toxicity, "stream": stream, "attributes": attributes });
            if let Ok(toxic) = from_json(&wanted) {
                let shown = to_json(&toxic);
                prop_assert_eq!(to_json(&changed(&toxic, &json!({})).unwrap()), shown);
            }
        }
    }

    #[test]
    fn a_toxic_reads_back_what_it_shows_and_has_toxiproxys_defaults() {
        let toxic = from_json(&json!({ "type": "latency", "attributes": { "latency": 1000 } })).unwrap();
        let shown = json!({
            "attributes": { "latency": 1000, "jitter": 0 },
            "name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1,
        });
        assert_eq!(to_json(&toxic), shown);
        assert_eq!(from_json(&shown).unwrap(), toxic);
        for (label, attributes) in [
            ("bandwidth", json!({ "rate": 100 })),
            ("timeout", json!({ "timeout": 0 })),
            ("limit_data", json!({ "bytes": 1 })),
            ("packet_loss", json!({ "loss_rate": 0.25, "correlation": 0.5 })),
            ("udpecho", json!({ "line": "loss=nth:4" })),
        ] {
            let wanted =
                json!({ "type": label, "stream": "upstream", "toxicity": 0.5, "attributes": attributes });
            let shown = to_json(&from_json(&wanted).unwrap());
            assert_eq!((&shown["attributes"], &shown["type"]), (&attributes, &json!(label)));
            assert_eq!(from_json(&shown).map(|toxic| to_json(&toxic)).unwrap(), shown);
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let toxic = from_json(
            &json!({ "type": "latency", "toxicity": 0.5, "attributes": { "latency": 1000, "jitter": 10 } }),
        );
        let changed = changed(&toxic.unwrap(), &json!({ "attributes": { "latency": 5 } })).unwrap();
        assert_eq!(changed.kind, ToxicKind::Latency { latency: 5, jitter: 10 });
        assert_eq!(changed.toxicity, 0.5);
    }

    #[test]
    fn a_toxic_that_makes_no_sense_is_refused_with_the_reason() {
        for (wanted, why) in [
            (json!({ "type": "slicer" }), "a datagram that is cut in two"),
            (json!({ "type": "slow_close" }), "UDP has no connection"),
            (json!({ "type": "reset_peer" }), "UDP has no connection"),
            (json!({ "type": "gremlin" }), "invalid toxic type"),
            (json!({}), "invalid toxic type"),
            (json!({ "type": "latency", "stream": "sideways" }), "stream was invalid"),
            (json!({ "type": "latency", "attributes": { "latency": -1 } }), "at least 0"),
            (json!({ "type": "latency", "attributes": { "latency": 1.5 } }), "whole number"),
            (json!({ "type": "latency", "attributes": [] }), "must be an object"),
            (json!({ "type": "latency", "toxicity": 2 }), "toxicity must be"),
            (json!({ "type": "udpecho" }), "line is missing"),
            (json!({ "type": "udpecho", "attributes": { "line": "loss=trace:/etc/passwd" } }), "loss"),
            (json!({ "type": "udpecho", "attributes": { "line": " ".repeat(1_025) } }), "at most 1024"),
            (json!({ "type": "timeout", "name": "n".repeat(65) }), "name: at most 64 bytes"),
            (json!({ "type": "timeout", "name": "a\nb" }), "without control characters"),
        ] {
            let refusal = from_json(&wanted).unwrap_err();
            assert!(refusal.why.contains(why), "{wanted}: {}", refusal.why);
        }
    }
}
