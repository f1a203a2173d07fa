//! Owns how free text becomes an answer, steps and facts.

/// A text by what its parts are for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Prose {
    /// The first paragraph.
    pub(super) summary: String,
    /// Items of numbered lists.
    pub(super) steps: Vec<String>,
    /// Items of other lists, and further paragraphs.
    pub(super) facts: Vec<String>,
}

/// What the line before belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Summary,
    Step,
    Fact,
}

impl Prose {
    /// Reads Markdown without front matter.
    pub(super) fn of(text: &str) -> Self {
        let mut prose = Self::default();
        let mut within = Within::Nothing;
        for line in text.lines().map(str::trim) {
            within = prose.take(line, within);
        }
        if prose.summary.is_empty() {
            let parts = if prose.facts.is_empty() { &mut prose.steps } else { &mut prose.facts };
            if !parts.is_empty() {
                prose.summary = parts.remove(0);
            }
        }
        prose
    }

    fn take(&mut self, line: &str, within: Within) -> Within {
        if line.is_empty() || line.chars().all(|c| matches!(c, '-' | '*' | '_' | '=')) {
            return Within::Nothing;
        }
        if let Some(item) = numbered(line) {
            self.steps.push(item.to_owned());
            return Within::Step;
        }
        if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            self.facts.push(item.trim().to_owned());
            return Within::Fact;
        }
        let line = line.trim_start_matches('#').trim();
        match within {
            Within::Summary => extend(&mut self.summary, line),
            Within::Step => self.steps.last_mut().into_iter().for_each(|step| extend(step, line)),
            Within::Fact => self.facts.last_mut().into_iter().for_each(|fact| extend(fact, line)),
            Within::Nothing if self.summary.is_empty() => {
                line.clone_into(&mut self.summary);
                return Within::Summary;
            }
            Within::Nothing => {
                self.facts.push(line.to_owned());
                return Within::Fact;
            }
        }
        within
    }
}

fn extend(text: &mut String, line: &str) {
    text.push(' ');
    text.push_str(line);
}

fn numbered(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let item = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
    (rest.len() < line.len()).then(|| item.trim())
}
