//! The table of what each dialect can measure, in docs/dialects.md, is what the code says.

use udpecho::probe::{Dialect, Losses, ServerTime};

const PAGE: &str = include_str!("../../docs/dialects.md");

fn row(dialect: Dialect) -> String {
    let knows = dialect.knows();
    let or_unknown = |is_known: bool| if is_known { "yes" } else { "unknown" };
    let losses = match knows.losses {
        Losses::RoundTrip => "unknown",
        Losses::NotShown => "by the numbers of replies, or unknown",
        Losses::Gaps => "by the numbers of replies",
        Losses::Window => "by the server's count, and a window over the last 64",
        Losses::Truth => "each probe",
    };
    let time = match knows.server_time {
        ServerTime::Unknown => "unknown",
        ServerTime::Whole => "as a whole",
        ServerTime::Split => "injected apart",
    };
    format!(
        "| {} | {} | {losses} | {time} | {} | {} |",
        dialect.name(),
        or_unknown(knows.injection),
        or_unknown(knows.one_way),
        or_unknown(knows.corruption)
    )
}

#[test]
fn the_table_of_the_page_is_that_of_the_code() {
    let table = PAGE.split("## What each dialect can measure").nth(1).expect("the section");
    let table = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows, Dialect::ALL.map(row));
}
