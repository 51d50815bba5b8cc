//! What a reader of a drawing sees: its texts, and what is cut or lies over another.

use resvg::usvg;

/// The texts of a picture, as the rasteriser lays them out.
pub fn texts(svg: &str) -> Vec<(String, usvg::Rect)> {
    let mut found = Vec::new();
    each(parse(svg).root(), &mut |node| {
        found.extend(words(node).map(|words| (words, node.abs_bounding_box())))
    });
    found
}

fn words(node: &usvg::Node) -> Option<String> {
    let usvg::Node::Text(text) = node else { return None };
    Some(text.chunks().iter().map(|chunk| chunk.text()).collect())
}

/// All that is drawn, however deep.
fn each(group: &usvg::Group, visit: &mut impl FnMut(&usvg::Node)) {
    for node in group.children() {
        match node {
            usvg::Node::Group(group) => each(group, visit),
            node => visit(node),
        }
    }
}

fn parse(svg: &str) -> usvg::Tree {
    let mut fonts = usvg::fontdb::Database::new();
    for name in ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"] {
        let file = format!("{}/src/report/font/{name}", env!("CARGO_MANIFEST_DIR"));
        fonts.load_font_data(std::fs::read(file).expect("the font is in the tree"));
    }
    let options = usvg::Options { fontdb: fonts.into(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).expect("well-formed")
}

/// What is cut, and pairs of texts that lie over each other.
pub fn faults(svg: &str) -> Vec<String> {
    let tree = parse(svg);
    // A tenth of a pixel is the drawing's unit.
    let cut = |a: &usvg::Rect| {
        a.left() < -0.1
            || a.top() < -0.1
            || a.right() > tree.size().width() + 0.1
            || a.bottom() > tree.size().height() + 0.1
    };
    let mut faults = Vec::new();
    each(tree.root(), &mut |node| {
        let a = node.abs_stroke_bounding_box();
        if cut(&a) {
            faults.push(format!("'{}' is cut: {a:?}", words(node).unwrap_or_default()));
        }
    });
    let texts = texts(svg);
    for (k, (text, a)) in texts.iter().enumerate() {
        for (other, b) in texts[k + 1..].iter().filter(|(_, b)| overlap(a, b)) {
            faults.push(format!("'{text}' {a:?} lies over '{other}' {b:?}"));
        }
    }
    faults
}

/// A box reaches from the font's ascent to its descent; no letter here fills the upper sixth of it.
fn overlap(a: &usvg::Rect, b: &usvg::Rect) -> bool {
    let top = |r: &usvg::Rect| r.top() + r.height() / 6.0;
    a.left() < b.right() && b.left() < a.right() && top(a) < b.bottom() && top(b) < a.bottom()
}
