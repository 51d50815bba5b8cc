//! What the script looks up: where each panel lies, and what it shows at a place. Never more than some
//! thousand rows.

use serde_json::{Value, json};

use crate::report::chart::Drawing;

pub(super) fn json(drawing: &Drawing) -> String {
    let panels = drawing.panels().map(|panel| {
        json!({
            "id": panel.id,
            "box": [panel.left, panel.right, panel.top, panel.bottom],
            "x": [panel.x.low(), panel.x.high()],
            "log": panel.x.is_log(),
            "hover": panel.hover.json(),
        })
    });
    let page = json!({ "view": drawing.charts(), "panels": panels.collect::<Vec<Value>>() });
    // Inside of a script nothing may look like its end.
    page.to_string().replace('<', "\\u003c")
}
