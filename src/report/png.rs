//! An SVG of ours in, a PNG out, with the embedded font alone.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};

use super::font;

#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    #[error("the drawing is no SVG: {0}")]
    Svg(#[from] usvg::Error),
    #[error("a drawing of {width} x {height} pixels is too large")]
    Size { width: u32, height: u32 },
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
