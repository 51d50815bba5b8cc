//! The colours, light and dark: Okabe and Ito's set, told apart by colour-blind eyes.
//!
//! Colour is never the only carrier of a meaning: place and shape say the same.

use plotters::style::RGBColor;

use crate::probe::Group;

const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const SKY: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
const VERMILION: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const ORANGE: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9E, 0x73);
const PURPLE: RGBColor = RGBColor(0xCC, 0x79, 0xA7);

/// The colours of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on black.
    Dark,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Colours {
    pub page: RGBColor,
    pub panel: RGBColor,
    pub grid: RGBColor,
    pub text: RGBColor,
    pub muted: RGBColor,
    /// Replies on time, and figures of them.
    pub reply: RGBColor,
    pub band: RGBColor,
    pub median: RGBColor,
    pub p50: RGBColor,
    pub p99: RGBColor,
    pub clipped: RGBColor,
    pub loss: RGBColor,
    pub interval: RGBColor,
}

impl Theme {
    pub(crate) const fn colours(self) -> Colours {
        let (p50, p99, clipped, loss) = (GREEN, ORANGE, PURPLE, VERMILION);
        match self {
            Self::Light => Colours {
                page: RGBColor(0xFF, 0xFF, 0xFF),
                panel: RGBColor(0xFA, 0xFA, 0xFA),
                grid: RGBColor(0xE2, 0xE2, 0xE2),
                text: RGBColor(0x1A, 0x1A, 0x1A),
                muted: RGBColor(0x5A, 0x5A, 0x5A),
                reply: BLUE,
                band: SKY,
                median: RGBColor(0, 0, 0),
                p50,
                p99,
                clipped,
                loss,
                interval: VERMILION,
            },
            Self::Dark => Colours {
                page: RGBColor(0x14, 0x16, 0x1A),
                panel: RGBColor(0x1B, 0x1E, 0x24),
                grid: RGBColor(0x2E, 0x33, 0x3B),
                text: RGBColor(0xE8, 0xE8, 0xE8),
                muted: RGBColor(0xA4, 0xAA, 0xB3),
                reply: SKY,
                band: BLUE,
                median: RGBColor(0xFF, 0xFF, 0xFF),
                p50,
                p99,
                clipped,
                loss,
                interval: VERMILION,
            },
        }
    }
}

impl Colours {
    /// Every colour that a drawing may have, in one order for all themes.
    pub(crate) fn all(&self) -> [RGBColor; 12] {
        let Self {
            page,
            panel,
            grid,
            text,
            muted,
            reply,
            band,
            median,
            p50,
            p99,
            clipped,
            loss,
            interval: _,
        } = *self;
        [page, panel, grid, text, muted, reply, band, median, p50, p99, clipped, loss]
    }

    /// Of a probe without a reply in time.
    pub(crate) const fn group(&self, group: Group) -> RGBColor {
        match group {
            Group::NetworkUp => VERMILION,
            Group::NetworkDown => self.reply,
            Group::Injected => PURPLE,
            Group::Host => GREEN,
            Group::Late => ORANGE,
            Group::Unknown => self.muted,
            Group::NotSent => self.text,
        }
    }
}
