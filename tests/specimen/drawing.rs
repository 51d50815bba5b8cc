//! What a reader of a drawing sees: its texts, and what is cut or lies over another.

use resvg::usvg;

/// The texts of a picture, as the rasteriser lays them out.
pub fn texts(svg: &str) -> Vec<(String, usvg::Rect)> {
    fn collect(group: &usvg::Group, found: &mut Vec<(String, usvg::Rect)>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => collect(group, found),
                usvg::Node::Text(text) => {
                    let content = text.chunks().iter().map(|chunk| chunk.text()).collect();
                    found.push((content, node.abs_bounding_box()));
                }
                _ => {}
            }
        }
    }
    let mut fonts = usvg::fontdb::Database::new();
    for name in ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"] {
        let file = format!("{}/src/report/font/{name}", env!("CARGO_MANIFEST_DIR"));
        fonts.load_font_data(std::fs::read(file).expect("the font is in the tree"));
    }
    let options = usvg::Options { fontdb: fonts.into(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).expect("well-formed");
    let mut found = Vec::new();
    collect(tree.root(), &mut found);
    found
}

/// Texts that are cut, and pairs that lie over each other.
pub fn faults(svg: &str) -> Vec<String> {
    let texts = texts(svg);
    let height: f32 = svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let mut faults = Vec::new();
    for (k, (text, a)) in texts.iter().enumerate() {
        if a.left() < 0.0 || a.top() < 0.0 || a.right() > 1600.0 || a.bottom() > height {
            faults.push(format!("'{text}' is cut: {a:?}"));
        }
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
