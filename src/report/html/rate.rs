//! The page of a rate search: its picture, and the result as text.

use super::escape::escape;
use crate::record::Run;
use crate::report::rate::{rate_lines, rate_table};

/// The page; `picture` is the SVG of the same run.
pub fn rate_html(run: &Run, picture: &str) -> String {
    let text = [rate_lines(run), rate_table(run)].concat();
    let text: Vec<String> = text.iter().map(|line| escape(line)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>udpecho: rate of the path to \
         {}</title></head>\n<body style=\"margin:0\">\n{picture}<pre style=\"margin:1em 3em\">\n{}\n</pre>\n\
         </body></html>\n",
        escape(&run.config.host),
        text.join("\n")
    )
}
