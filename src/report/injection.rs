//! A server's impairments in words.

const CLASSIC: &str = "delay=uniform:100us..500ms loss=10%";

/// From the line that an impairment prints itself as.
pub fn injection(line: &str, seed: Option<u64>) -> String {
    let what = match line {
        "clean" => return "nothing".to_owned(),
        CLASSIC => "each reply is held 0.1 to 500 ms, 1 probe in 10 goes unanswered".to_owned(),
        line => line.split("; ").map(step_in_words).collect::<Vec<_>>().join("; "),
    };
    let seed = seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    format!("on purpose: {what}{seed}")
}

/// A step of a scenario begins with how long it lasts, as `10s: clean`.
fn step_in_words(step: &str) -> String {
    let (lasts, parts) = step.find(": ").map_or(("", step), |colon| step.split_at(colon + 2));
    let parts: Vec<String> = parts.split(' ').map(part_in_words).collect();
    format!("{lasts}{}", parts.join(", "))
}

/// `loss=gilbert:p=1%,r=25%` as `loss gilbert p=1%,r=25%`.
fn part_in_words(part: &str) -> String {
    let Some((key, value)) = part.split_once('=') else { return part.to_owned() };
    format!("{key} {}", value.replacen(':', " ", 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::Impairment;

    #[test]
    fn says_it_in_words() {
        let classic = Impairment::classic().to_string();
        assert_eq!(
            injection(&classic, Some(7)),
            "on purpose: each reply is held 0.1 to 500 ms, 1 probe in 10 goes unanswered (seed 7)"
        );
        assert_eq!(injection("clean", Some(7)), "nothing");
        assert_eq!(
            injection("delay=normal:50ms±10ms loss=gilbert:p=1%,r=25% direction=up", None),
            "on purpose: delay normal 50ms±10ms, loss gilbert p=1%,r=25%, direction up"
        );
        assert_eq!(
            injection("10s: clean; 5s: delay=constant:5ms loss=100%; again", None),
            "on purpose: 10s: clean; 5s: delay constant 5ms, loss 100%; again"
        );
    }
}
