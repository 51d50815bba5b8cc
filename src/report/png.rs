//! An SVG of ours in, a PNG out, with the embedded font alone.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};

use super::font;

/// Why a drawing did not become a picture.
#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    /// The drawing is not valid SVG.
    #[error("the drawing is no SVG: {0}")]
    Svg(#[from] usvg::Error),
    /// No picture of this size can be made.
    #[error("a drawing of {width} x {height} pixels is too large")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The encoder failed.
    #[error("the PNG was not written: {0}")]
    Png(String),
}

/// One pixel of the drawing becomes one pixel of the picture.
pub fn rasterise(svg: &str) -> Result<Vec<u8>, RasterError> {
    let tree = parse(svg)?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    let mut pixels = Pixmap::new(width, height).ok_or(RasterError::Size { width, height })?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| RasterError::Png(error.to_string()))
}

pub(super) fn parse(svg: &str) -> Result<usvg::Tree, usvg::Error> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(font::REGULAR.to_vec());
    fonts.load_font_data(font::BOLD.to_vec());
    let options = usvg::Options {
        fontdb: Arc::new(fonts),
        font_family: font::EMBEDDED.to_owned(),
        ..usvg::Options::default()
    };
    usvg::Tree::from_str(svg, &options)
}
