//! Owns the checks, one function each. A check names what it found; it never changes the draft.

use super::{
    ReviewRequest, Reviewer,
    quoted::{Sentence, own_sentences, without_quotes},
};
use crate::provider::offline::{
    reading::Reading,
    text::{Content, Words},
};
use ticketflow_tickets::{
    knowledge::ArticleId,
    language::Language,
    triage::{Action, Extraction, IssueType, PolicyViolation, ViolationCode},
};

/// Shortest and longest draft, in characters.
const SHORTEST: usize = 80;
const LONGEST: usize = 4_500;
/// Words of an ask that, standing in the draft in a row, show that it was taken up.
const TAKEN_UP: usize = 6;
/// Share of an ask's content words that, standing in the draft, show the same.
const MOSTLY: f64 = 0.5;
/// Words in a row that show that an instruction was repeated.
const REPEATED: usize = 5;
/// Most characters of the draft that a detail shows.
const SHOWN: usize = 120;

/// A draft and what it may rest on.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) reviewer: Reviewer<'a>,
    pub(super) reading: &'a Reading,
    pub(super) request: &'a ReviewRequest<'a>,
    /// The ticket without what addresses the program, folded.
    pub(super) ticket: String,
    /// What the extraction holds, folded. Whoever extracts takes nothing but what stands in `ticket`, so this adds
    /// nothing unless an operator has corrected it; what an operator put there may be said.
    extracted: String,
    /// The cited articles, folded.
    pub(super) articles: String,
    /// The draft without its quotes of the ticket.
    own: String,
    /// Its sentences that do not stand in the articles.
    sentences: Vec<Sentence>,
    /// The draft, folded.
    draft: String,
    /// The draft's content.
    said: Content,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(reviewer: Reviewer<'a>, reading: &'a Reading, request: &'a ReviewRequest<'a>) -> Self {
        let ticket = Words::joined(&[&reading.words, &Words::of(&reading.quoted)]).line().to_owned();
        let cited =
            request.articles.iter().filter(|article| request.draft.cited_articles.contains(&article.id));
        let articles: String =
            cited.map(|article| reviewer.articles.of(article, reviewer.languages).line.clone()).collect();
        let extracted: String =
            values(request.extraction).map(|value| Words::of(value).line().to_owned()).collect();
        let own = without_quotes(&request.draft.text, &format!("{ticket}{extracted}"));
        let sentences = own_sentences(&own, &articles);
        let draft = Words::of(&request.draft.text);
        Self {
            reviewer,
            reading,
            request,
            ticket,
            extracted,
            articles,
            own,
            sentences,
            draft: draft.line().to_owned(),
            said: reviewer.languages.content_of(draft),
        }
    }

    /// Everything that is wrong with the draft.
    pub(super) fn violations(&self) -> Vec<PolicyViolation> {
        let mut found = self.unanswered_asks();
        found.extend(self.promises());
        found.extend(self.personal_data());
        found.extend(self.cards());
        found.extend(self.tone());
        found.extend(self.length());
        found.extend(self.links());
        found.extend(self.placeholders());
        found.extend(self.language());
        found.extend(self.citations());
        found.extend(self.repeated_instructions());
        found
    }

    fn unanswered_asks(&self) -> Vec<PolicyViolation> {
        if self.request.extraction.issue_type == IssueType::Praise
            || self.request.draft.action == Action::Handoff
        {
            return Vec::new();
        }
        let asks = self.request.extraction.asks.iter().filter(|ask| !self.is_taken_up(ask));
        asks.map(|ask| violation(ViolationCode::UnansweredAsk, ask)).collect()
    }

    /// Asks that the draft repeats but says nothing about.
    pub(super) fn postponed_asks(&self) -> usize {
        let languages = self.reviewer.languages;
        let said = languages.content(&self.own);
        let is_postponed = |ask: &&String| {
            let asked = languages.content(ask);
            share(asked.shared(&said).count(), asked.len().max(1)) < MOSTLY
        };
        self.request.extraction.asks.iter().filter(is_postponed).count()
    }

    fn is_taken_up(&self, ask: &str) -> bool {
        let words = Words::of(ask);
        let start: Vec<&str> = words
            .iter()
            .skip_while(|word| word.len() < 2 || word.chars().all(|c| c.is_ascii_digit()))
            .take(TAKEN_UP)
            .collect();
        let quoted = !start.is_empty() && self.draft.contains(&format!(" {} ", start.join(" ")));
        let asked = self.reviewer.languages.content_of(words);
        quoted || asked.is_empty() || share(asked.shared(&self.said).count(), asked.len()) >= MOSTLY
    }

    /// Sentences of its own in which the draft promises something, or names a sum or a day that stands nowhere else.
    fn promises(&self) -> Vec<PolicyViolation> {
        let (language, promise) = (self.request.draft.language, &self.reviewer.rules.promise);
        let invents = |sentence: &Sentence| {
            let figures = self.reviewer.extractor.figures(self.text(sentence));
            figures.iter().any(|figure| !self.is_known(figure))
        };
        let promises =
            |sentence: &&Sentence| promise.occur_in(language, &sentence.words) || invents(sentence);
        let promising = self.sentences.iter().filter(promises);
        promising.map(|sentence| violation(ViolationCode::UnsupportedPromise, self.text(sentence))).collect()
    }

    fn text(&self, sentence: &Sentence) -> &str {
        &self.own[sentence.range.clone()]
    }

    fn personal_data(&self) -> Vec<PolicyViolation> {
        let text = &self.request.draft.text;
        let (contacts, extractor) = (self.reviewer.extractor.contacts(), self.reviewer.extractor);
        let found = [
            contacts.emails(text),
            contacts.phones(text),
            extractor.order_ids(text),
            extractor.invoice_ids(text),
        ];
        let foreign = found.iter().flatten().filter(|data| !self.is_known(data));
        foreign.map(|data| violation(ViolationCode::ForeignPersonalData, data)).collect()
    }

    /// Whether the words of `data` stand in the ticket, the extraction or a cited article.
    fn is_known(&self, data: &str) -> bool {
        let words = Words::of(data);
        let evidence = [&self.ticket, &self.extracted, &self.articles];
        evidence.iter().any(|evidence| evidence.contains(words.line()))
    }

    fn cards(&self) -> Vec<PolicyViolation> {
        let cards = self.reviewer.extractor.contacts().cards(&self.request.draft.text);
        cards
            .iter()
            .map(|card| violation(ViolationCode::CardNumber, &format!("…{}", last_four(card))))
            .collect()
    }

    fn tone(&self) -> Vec<PolicyViolation> {
        let (language, tone) = (self.request.draft.language, &self.reviewer.rules.tone);
        let offends = |sentence: &&Sentence| {
            let words = &sentence.words;
            let shouting = words.len() >= 4 && words.shouted() * 2 > words.len();
            shouting || tone.occur_in(language, words) || self.text(sentence).contains("!!")
        };
        let offending = self.sentences.iter().filter(offends);
        offending.map(|sentence| violation(ViolationCode::Tone, self.text(sentence))).collect()
    }

    fn length(&self) -> Option<PolicyViolation> {
        let length = self.request.draft.text.chars().count();
        if length < SHORTEST {
            Some(violation(
                ViolationCode::TooShort,
                &format!("{length} characters, at least {SHORTEST} help"),
            ))
        } else if length > LONGEST {
            Some(violation(
                ViolationCode::TooLong,
                &format!("{length} characters, at most {LONGEST} are read"),
            ))
        } else {
            None
        }
    }

    fn links(&self) -> Vec<PolicyViolation> {
        let text = &self.request.draft.text;
        let links = self.reviewer.extractor.contacts().urls(text);
        let emails = self.reviewer.extractor.contacts().emails(text);
        let mut rest = text.clone();
        for known in links.iter().chain(&emails) {
            rest = rest.replace(known.as_str(), " ");
        }
        let hosts = self.reviewer.rules.bare_hosts(&rest).map(str::to_owned);
        let foreign = links.iter().filter(|link| !self.request.policy.allows(link)).cloned().chain(hosts);
        foreign.map(|link| violation(ViolationCode::ForeignLink, &link)).collect()
    }

    fn placeholders(&self) -> Vec<PolicyViolation> {
        let found = self.reviewer.rules.placeholders(&self.own);
        found.map(|place| violation(ViolationCode::Placeholder, place)).collect()
    }

    fn language(&self) -> Option<PolicyViolation> {
        let asked = self.request.classification.language;
        let expected = if self.reviewer.wordings.speak(asked) { asked } else { Language::EN };
        let declared = self.request.draft.language;
        let own: Vec<&str> = self.sentences.iter().map(|sentence| self.text(sentence)).collect();
        let words: Vec<&Words> = self.sentences.iter().map(|sentence| &sentence.words).collect();
        let words = Words::joined(&words);
        let written = self.reviewer.languages.language(&own.join("\n"), &words);
        let fits =
            (declared == asked || declared == expected) && (written == declared || words.len() < TAKEN_UP);
        (!fits).then(|| violation(ViolationCode::WrongLanguage, &format!("{written} instead of {expected}")))
    }

    fn citations(&self) -> Vec<PolicyViolation> {
        let known = |id: &ArticleId| self.request.research.articles.iter().any(|hit| hit.article_id == *id);
        let unknown = self.request.draft.cited_articles.iter().filter(|id| !known(id));
        unknown.map(|id| violation(ViolationCode::UnknownCitation, id.as_str())).collect()
    }

    /// Five words in a row, or a code or number, of a passage that addresses the program and that stand nowhere else.
    fn repeated_instructions(&self) -> Vec<PolicyViolation> {
        let elsewhere = |words: &str| self.ticket.contains(words) || self.articles.contains(words);
        let mut found = Vec::new();
        for passage in &self.reading.instructions {
            let words = Words::of(passage);
            let words: Vec<&str> = words.iter().collect();
            let rows = words.windows(REPEATED).map(|row| format!(" {} ", row.join(" ")));
            let codes =
                words.iter().filter(|word| word.len() >= 3 && word.chars().any(|c| c.is_ascii_digit()));
            let signs = rows.chain(codes.map(|code| format!(" {code} ")));
            let repeated =
                signs.into_iter().find(|sign| self.draft.contains(sign.as_str()) && !elsewhere(sign));
            found.extend(repeated.map(|sign| violation(ViolationCode::RepeatedInstruction, sign.trim())));
        }
        found
    }
}

/// Every text that the extraction holds.
pub(super) fn values(extraction: &Extraction) -> impl Iterator<Item = &str> {
    let Extraction {
        order_id,
        order_ids,
        invoice_ids,
        product,
        amounts,
        dates,
        emails,
        phones,
        error_codes,
        versions,
        urls,
        devices,
        issue_type: _,
        asks,
        risks: _,
        mentions: _,
    } = extraction;
    let lists = [order_ids, invoice_ids, emails, phones, error_codes, versions, urls, devices, asks];
    let listed = lists.into_iter().flatten().chain(order_id).chain(product).map(String::as_str);
    let sums = amounts.iter().map(|amount| amount.text.as_str());
    listed.chain(sums).chain(dates.iter().map(|date| date.text.as_str()))
}

fn violation(code: ViolationCode, detail: &str) -> PolicyViolation {
    let line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    PolicyViolation { code, detail: line.chars().take(SHOWN).collect() }
}

fn last_four(card: &str) -> String {
    let digits: Vec<char> = card.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(4)..].iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
