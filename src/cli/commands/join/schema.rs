//! The JSON schema of `--json`.

use crate::room::Event;

/// The JSON schema of `--json`.
pub(crate) const SCHEMA: &str = include_str!("schema.json");

/// Whether `--json` prints this event: instructions to our own clients are left out, and the key of an order
/// with them.
pub(super) fn is_printed(event: &Event) -> bool {
    !matches!(event, Event::Order(order) if order.is_instruction())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::room::{OrderEvent, OrderTask, OrderTerms};

    fn validator() -> jsonschema::Validator {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        jsonschema::draft202012::meta::validate(&schema).expect("a sound schema");
        jsonschema::validator_for(&schema).unwrap()
    }

    /// As a room sends them.
    fn events() -> Vec<Value> {
        let presence = json!({"name": "anna", "role": "guest", "via": "text"});
        let hash = crate::room::ContentHash::of(b"x").to_string();
        let file = json!({"number": 1, "name": "a b.txt", "bytes": 1, "from": "anna", "to": "bea", "kind": "file", "hash": hash});
        let run =
            json!({"number": 2, "name": "order-1", "bytes": 9, "from": "bea", "kind": "run", "order": 1});
        let transfer = json!({"ticket": "00112233445566778899aabbccddeeff", "file": file, "offset": 65_536});
        let terms = json!({"count": 100, "interval_us": 50_000, "size": 512});
        let figures = json!({"sent": 100, "on_time": 97, "lost_up": 2, "lost_down": 1, "lost_other": 0,
            "rtt_p50_us": 12_100.5, "rtt_p99_us": null, "failed": null});
        let check = json!({"range": "33000-33009", "protocol": "udp"});
        let order = |news: &str, more: Value| {
            let mut event = json!({"event": "order", "news": news, "order": 1});
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        vec![
            json!({"event": "greeting"}),
            json!({"event": "welcome", "name": "anna", "role": "member", "encrypted": true, "here": [presence]}),
            json!({"event": "joined", "name": "anna"}),
            json!({"event": "left", "name": "anna", "reason": "slow_reader"}),
            json!({"event": "renamed", "from": "anna", "to": "bea"}),
            json!({"event": "said", "from": "anna", "to": ["bea"], "text": "x"}),
            json!({"event": "who", "here": [presence]}),
            json!({"event": "load", "hosts": [{"name": "anna", "verdict": null}]}),
            json!({"event": "help"}),
            json!({"event": "files", "files": [file, run]}),
            json!({"event": "shelved", "file": run}),
            json!({"event": "not_shelved", "name": "a b.txt", "hash": hash, "why": "full"}),
            json!({"event": "put", "transfer": transfer}),
            json!({"event": "get", "transfer": transfer}),
            json!({"event": "plain_offer", "file": file, "word": "tulip"}),
            json!({"event": "refused", "why": "no"}),
            json!({"event": "dropped", "why": "too fast"}),
            json!({"event": "closed", "reason": "flood"}),
            order(
                "placed",
                json!({"by": "anna", "from": "bea", "to": "carl", "terms": terms, "state": "asked"}),
            ),
            order("ask", json!({})),
            order("way", json!({"to": "carl", "way": {"direct": "10.0.0.7:54321"}})),
            order("way", json!({"to": "carl", "way": {"none": null}})),
            order("result", json!({"from": "bea", "to_room": false, "figures": figures})),
            order(
                "placed",
                json!({"by": "anna", "from": "bea", "to": "carl", "terms": check, "state": "asked", "asked": ["carl"]}),
            ),
            order("way", json!({"to": "carl", "way": {"seen": "10.0.0.7"}})),
            order(
                "ports",
                json!({"from": "bea", "to": "carl", "check": check, "ports": {"open": "33000-33002, 33009", "filtered": "33003-33008"}}),
            ),
            order("host", json!({"host": "carl", "busy": 3, "seconds": 5, "reasons": ["steal 12 %"]})),
            order("done", json!({})),
            order("ended", json!({"why": "stopped"})),
            json!({"event": "measured", "order": 1, "by": "anna", "from": "bea", "to": "carl", "terms": terms,
                "results": [{"host": "bea", "to_room": false, "figures": figures}],
                "hosts": [{"host": "carl", "busy": 3, "seconds": 5, "reasons": ["steal 12 %"]}], "runs": [2]}),
            json!({"event": "measured", "order": 1, "by": "anna", "from": "bea", "to": "carl", "terms": check,
                "results": [], "ports": {"open": "33000", "busy": "33001-33009"}, "hosts": [], "runs": []}),
        ]
    }

    #[test]
    fn every_event_that_is_printed_keeps_to_the_schema() {
        let validator = validator();
        let mut kinds: Vec<Value> = Vec::new();
        for event in events() {
            let parsed: Event =
                serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{event}: {error}"));
            assert!(is_printed(&parsed));
            let printed: Value = serde_json::from_str(&parsed.json()).unwrap();
            assert_eq!(printed, event);
            let errors: Vec<String> =
                validator.iter_errors(&printed).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{event}: {errors:#?}");
            kinds.push(printed["event"].clone());
        }
        // No kind is described that no event has.
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let described = schema["$defs"]["plainEvent"]["properties"]["event"]["enum"].as_array().unwrap();
        assert!(described.iter().all(|kind| kinds.contains(kind)), "{described:?}");
        for wrong in [
            json!({}),
            json!({"event": "order", "news": "prepare", "order": 1}),
            json!({"event": "said", "x": 1}),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }

    #[test]
    fn the_key_of_an_order_is_not_printed() {
        let terms = OrderTerms { count: 1, interval_us: 1_000, size: 80 };
        let terms = OrderTask::Ping(terms);
        let key = "0f".repeat(32);
        let prepare = OrderEvent::Prepare { order: 1, key, answers: true, terms, second_port: None };
        assert!(!is_printed(&Event::Order(prepare)));
        assert!(is_printed(&Event::Order(OrderEvent::Ask { order: 1 })));
    }
}
