//! What a program sends to the room: JSON objects with one field, each on a line or in an encrypted frame.

use serde::{Deserialize, Serialize};

/// One message of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Runs without a person in front of it; sent before the name.
    Agent(bool),
    /// The name to be known by; the first of a guest.
    Name(String),
    /// A line as a person would type it, commands included.
    Say(String),
    /// How busy this host is, in words.
    Load(String),
}

impl Message {
    /// Reads one line. The error says what is wrong and what works.
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line)
            .map_err(|error| format!("no message: {error}; for example {{\"say\":\"hello\"}}"))
    }

    /// The line that says the same, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a message is JSON")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_objects_with_one_field() {
        for (line, message) in [
            (r#"{"name":"anna"}"#, Message::Name("anna".into())),
            (r#"{"say":"/who"}"#, Message::Say("/who".into())),
            (r#"{"load":"busy: steal 12 %"}"#, Message::Load("busy: steal 12 %".into())),
            (r#"{"agent":true}"#, Message::Agent(true)),
        ] {
            assert_eq!(Message::parse(line), Ok(message.clone()));
            assert_eq!(message.line(), line);
        }
        let error = Message::parse(r#"{"shout":"x"}"#).unwrap_err();
        assert!(error.starts_with("no message: unknown variant `shout`"), "{error}");
        assert!(error.ends_with(r#"for example {"say":"hello"}"#), "{error}");
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line: String) {
            if let Ok(message) = Message::parse(&line) {
                prop_assert_eq!(Message::parse(&message.line()), Ok(message));
            }
        }
    }
}
