//! Pictures of a definition: Mermaid, DOT, SVG and plain text.

use crate::workflow::Definition;
use std::fmt::Write;

/// A notation for pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Mermaid flowchart.
    Mermaid,
    /// Graphviz DOT.
    Dot,
    /// A picture.
    Svg,
    /// Plain text.
    Ascii,
}

impl Format {
    /// Every notation.
    pub const ALL: [Self; 4] = [Self::Mermaid, Self::Dot, Self::Svg, Self::Ascii];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
            Self::Svg => "svg",
            Self::Ascii => "ascii",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// Draws a definition.
pub fn draw(definition: &Definition, format: Format) -> String {
    match format {
        Format::Mermaid => mermaid(definition),
        Format::Dot => dot(definition),
        Format::Svg => svg(definition),
        Format::Ascii => ascii(definition),
    }
}

/// An arrow between two steps; `None` as target is the end.
struct Arrow<'a> {
    from: &'a str,
    to: Option<&'a str>,
    limit: Option<u32>,
}

fn arrows(definition: &Definition) -> Vec<Arrow<'_>> {
    let steps = &definition.steps;
    let following = steps.iter().enumerate().map(|(position, step)| Arrow {
        from: step.name.as_str(),
        to: steps.get(position + 1).map(|next| next.name.as_str()),
        limit: None,
    });
    let jumps = steps.iter().flat_map(|step| {
        step.jumps.iter().map(|jump| Arrow {
            from: step.name.as_str(),
            to: Some(jump.target.as_str()),
            limit: Some(jump.limit),
        })
    });
    following.chain(jumps).collect()
}

fn mermaid(definition: &Definition) -> String {
    let mut text = String::from("flowchart LR\n");
    for arrow in arrows(definition) {
        let to = arrow.to.map_or_else(|| "done((done))".to_owned(), str::to_owned);
        match arrow.limit {
            Some(limit) => {
                let _ = writeln!(text, "    {} -. \"at most {limit}x\" .-> {to}", arrow.from);
            }
            None => {
                let _ = writeln!(text, "    {} --> {to}", arrow.from);
            }
        }
    }
    text
}

fn dot(definition: &Definition) -> String {
    let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n    node [shape=box];\n", definition.id);
    text.push_str("    done [shape=doublecircle];\n");
    for arrow in arrows(definition) {
        let style = arrow.limit.map(|limit| format!(" [style=dashed, label=\"at most {limit}x\"]"));
        let to = arrow.to.unwrap_or("done");
        let _ = writeln!(text, "    \"{}\" -> \"{to}\"{};", arrow.from, style.unwrap_or_default());
    }
    text.push_str("}\n");
    text
}

fn ascii(definition: &Definition) -> String {
    let mut text = format!("{}\n", definition.id);
    for step in &definition.steps {
        let _ = write!(text, "  {}", step.name);
        for jump in &step.jumps {
            let _ = write!(text, "  (may go back to {}, at most {}x)", jump.target, jump.limit);
        }
        text.push_str("\n    |\n    v\n");
    }
    text.push_str("  done\n");
    text
}

const BOX_WIDTH: usize = 120;
const PITCH: usize = 160;

fn svg(definition: &Definition) -> String {
    let width = PITCH * definition.steps.len() + 60;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} 140\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<title>{}</title>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>\n",
        escape(&definition.id.to_string())
    );
    for (position, step) in definition.steps.iter().enumerate() {
        let left = PITCH * position + 10;
        let (middle, right, next) = (left + BOX_WIDTH / 2, left + BOX_WIDTH, left + PITCH);
        let name = escape(step.name.as_str());
        let _ = writeln!(
            text,
            "<rect x=\"{left}\" y=\"40\" width=\"{BOX_WIDTH}\" height=\"40\" rx=\"6\" fill=\"none\" stroke=\"black\"/>\
             <text x=\"{middle}\" y=\"65\" text-anchor=\"middle\">{name}</text>\
             <path d=\"M{right} 60 H{next}\" stroke=\"black\" marker-end=\"url(#tip)\"/>"
        );
        text.push_str(&svg_jumps(definition, position));
    }
    let end = PITCH * definition.steps.len() + 30;
    let _ = writeln!(text, "<circle cx=\"{end}\" cy=\"60\" r=\"18\" fill=\"none\" stroke=\"black\"/>");
    let _ = writeln!(text, "<circle cx=\"{end}\" cy=\"60\" r=\"13\"/>");
    text.push_str("</svg>\n");
    text
}

fn svg_jumps(definition: &Definition, position: usize) -> String {
    let mut text = String::new();
    for jump in &definition.steps[position].jumps {
        let target = definition.steps.iter().position(|step| step.name == jump.target).unwrap_or(position);
        let (from, to) = (PITCH * position + 10 + BOX_WIDTH / 2, PITCH * target + 10 + BOX_WIDTH / 2);
        let middle = usize::midpoint(from, to);
        let _ = writeln!(
            text,
            "<path d=\"M{from} 80 V110 H{to} V80\" fill=\"none\" stroke=\"black\" stroke-dasharray=\"4\" \
             marker-end=\"url(#tip)\"/><text x=\"{middle}\" y=\"128\" text-anchor=\"middle\">at most {}x</text>",
            jump.limit
        );
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
