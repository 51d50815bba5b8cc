//! Parts that the full screens share: colours, headings, charts, the line of keys, the help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Sparkline};

/// The terminal's own 16 colours, which fit its background; none with `NO_COLOR`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    pub reply: Color,
    pub network: Color,
    pub injected: Color,
    pub buffer: Color,
    pub late: Color,
    pub muted: Color,
}

impl Palette {
    pub(super) fn of_environment() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain { Self::PLAIN } else { Self::COLOURED }
    }

    pub(super) const PLAIN: Self = Self {
        reply: Color::Reset,
        network: Color::Reset,
        injected: Color::Reset,
        buffer: Color::Reset,
        late: Color::Reset,
        muted: Color::Reset,
    };

    const COLOURED: Self = Self {
        reply: Color::Cyan,
        network: Color::Red,
        injected: Color::Magenta,
        buffer: Color::Green,
        late: Color::Yellow,
        muted: Color::DarkGray,
    };
}

pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// A heading, with a text at the right if there is room.
pub(super) fn heading(frame: &mut Frame, area: Rect, left: &str, right: &str) {
    frame.render_widget(Line::styled(fitted(left, area.width), BOLD), area);
    let free = usize::from(area.width).saturating_sub(left.chars().count() + 2);
    if right.chars().count() <= free {
        frame.render_widget(Line::raw(right.to_owned()).right_aligned(), area);
    }
}

/// The text, cut with an ellipsis if it is too long.
pub(super) fn fitted(text: &str, width: u16) -> String {
    let width = usize::from(width);
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

pub(super) fn panel(title: String, palette: &Palette) -> Block<'static> {
    Block::bordered().border_style(palette.muted).title(Span::raw(title))
}

/// A column for each value, scaled to the largest; values above 0 have at least an eighth of a row.
pub(super) fn columns(frame: &mut Frame, area: Rect, values: &[u64], style: Style) {
    let units = u64::from(area.height) * 8;
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let data =
        values.iter().map(|value| (u128::from(*value) * u128::from(units)).div_ceil(most.into()) as u64);
    frame.render_widget(
        Sparkline::default().data(data.collect::<Vec<_>>()).max(units.max(1)).style(style),
        area,
    );
}

/// The texts at the two ends of an axis.
pub(super) fn ends(frame: &mut Frame, area: Rect, left: &str, right: &str) {
    frame.render_widget(Line::raw(left.to_owned()), area);
    let free = usize::from(area.width).saturating_sub(left.chars().count() + 1);
    if right.chars().count() <= free {
        frame.render_widget(Line::raw(right.to_owned()).right_aligned(), area);
    }
}

/// The keys, or a note instead of them.
pub(super) fn footer(frame: &mut Frame, area: Rect, keys: &[(&str, &str)], note: &str) {
    let mut spans = Vec::new();
    for (key, meaning) in keys {
        spans.push(Span::styled(*key, BOLD));
        spans.push(Span::raw(format!(" {meaning}  ")));
    }
    if note.is_empty() {
        frame.render_widget(Line::from(spans), area);
    } else {
        frame.render_widget(Line::styled(fitted(note, area.width), BOLD), area);
    }
}

/// A window over the rest of the screen.
pub(super) fn help(frame: &mut Frame, lines: &[&str]) {
    let area = frame.area();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) as u16 + 4;
    let inside = area.centered(Constraint::Length(width), Constraint::Length(lines.len() as u16 + 2));
    frame.render_widget(Clear, inside);
    let text: Vec<Line> = lines.iter().map(|line| Line::raw(format!(" {line}"))).collect();
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" help ")), inside);
}
