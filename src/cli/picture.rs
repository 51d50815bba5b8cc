//! The picture of a record, where the build has pictures; without them a record's own folder stands for it.

use std::path::PathBuf;

#[cfg(feature = "report")]
use super::commands::report;
use crate::record::Folder;
#[cfg(feature = "report")]
use crate::report::Theme;

/// Draws the picture of a run into its folder; returns its path.
#[cfg(feature = "report")]
pub(super) fn draw(folder: &Folder) -> anyhow::Result<PathBuf> {
    report::draw(folder, Theme::Light)
}

/// The same of a proxy.
#[cfg(feature = "report")]
pub(super) fn draw_proxy(folder: &Folder) -> anyhow::Result<PathBuf> {
    report::draw_proxy(folder, Theme::Light)
}

/// The same for a rate search.
#[cfg(feature = "report")]
pub(super) fn draw_rate(folder: &Folder) -> anyhow::Result<PathBuf> {
    report::draw_rate(folder, Theme::Light)
}

#[cfg(not(feature = "report"))]
pub(super) fn draw(folder: &Folder) -> anyhow::Result<PathBuf> {
    Ok(folder.path().to_owned())
}

#[cfg(not(feature = "report"))]
pub(super) fn draw_proxy(folder: &Folder) -> anyhow::Result<PathBuf> {
    draw(folder)
}

#[cfg(not(feature = "report"))]
pub(super) fn draw_rate(folder: &Folder) -> anyhow::Result<PathBuf> {
    draw(folder)
}
