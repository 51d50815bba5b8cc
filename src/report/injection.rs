//! What a server injects, in words.

/// What is injected, in words.
pub fn injection(spec: &str, seed: Option<u64>) -> String {
    if spec == "clean" {
        return "nothing".to_owned();
    }
    let seed = seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    format!("on purpose: {spec}{seed}")
}
