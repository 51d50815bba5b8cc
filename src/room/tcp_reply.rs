//! Replies of a TCP echo server: `serve --tcp`.

/// The kinds of answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpReply {
    /// The message itself (RFC 862).
    #[default]
    Echo,
    /// `echo -> ` and the message.
    Arrow,
    /// `Acknowledgement`; the message `exit` closes.
    Ack,
    /// The distinct words of the message in their order, and its length in characters.
    Words,
}

impl TcpReply {
    /// `None` closes the connection.
    pub fn answer(self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Echo => Some(message.to_vec()),
            Self::Arrow => Some([b"echo -> ", message].concat()),
            Self::Ack if message.trim_ascii() == b"exit" => None,
            Self::Ack => Some(as_a_line(message, b"Acknowledgement".to_vec())),
            Self::Words => Some(as_a_line(message, words(&String::from_utf8_lossy(message)).into_bytes())),
        }
    }
}

/// A peer that sends lines is answered with lines.
fn as_a_line(message: &[u8], mut answer: Vec<u8>) -> Vec<u8> {
    if message.ends_with(b"\n") {
        answer.push(b'\n');
    }
    answer
}

fn words(message: &str) -> String {
    let message = message.trim_end_matches(['\r', '\n']);
    let mut distinct: Vec<&str> = Vec::new();
    for word in message.split_whitespace() {
        if !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    let length = message.chars().count().to_string();
    distinct.push(&length);
    distinct.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_answers_as_its_exercise_says() {
        let text = |kind: TcpReply, message: &str| {
            kind.answer(message.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(text(TcpReply::Echo, "hello\n").as_deref(), Some("hello\n"));
        assert_eq!(text(TcpReply::Arrow, "hello").as_deref(), Some("echo -> hello"));
        assert_eq!(text(TcpReply::Ack, "hello").as_deref(), Some("Acknowledgement"));
        assert_eq!(text(TcpReply::Ack, "hello\n").as_deref(), Some("Acknowledgement\n"));
        assert_eq!(text(TcpReply::Ack, "exit"), None);
        assert_eq!(text(TcpReply::Ack, "exit\r\n"), None);
    }

    #[test]
    fn words_are_distinct_in_their_order_and_the_length_is_in_characters() {
        let words =
            |message: &str| String::from_utf8(TcpReply::Words.answer(message.as_bytes()).unwrap()).unwrap();
        assert_eq!(words("the cat the dog"), "the cat dog 15");
        assert_eq!(words("grüße grüße\n"), "grüße 11\n");
        assert_eq!(words(""), "0");
    }
}
