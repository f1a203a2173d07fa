//! Owns the products that a site sells, as its operators list them. Whoever reads a ticket looks for these first; what else a
//! ticket may be about is a guess.

use super::super::text::fold;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::HashMap;
use ticketflow_tickets::taxonomy::{Category, Taxonomy};
use unicode_normalization::char::is_combining_mark;

/// Most products.
const MOST: usize = 5_000;
/// Most other names of one.
const MOST_ALIASES: usize = 20;
/// Longest name or pattern, in characters.
const LONGEST: usize = 80;
/// Most patterns: each is looked for in every ticket.
const MOST_PATTERNS: usize = 100;
/// Most products that a model is told.
const MOST_TOLD: usize = 100;
/// Memory for one compiled pattern, in bytes.
const PATTERN_SIZE: usize = 64 * 1024;
/// Characters between two words of a name, at most.
const GAP: usize = 3;

/// A catalogue that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The text is no catalogue.
    #[error(
        "it is no list of products: write [[product]] with a name, and aliases, sku, pattern and category if you like"
    )]
    Syntax(#[source] toml::de::Error),
    /// There is none.
    #[error("it lists no product: write at least one [[product]], or leave offline.products out")]
    Empty,
    /// There are too many.
    #[error("it lists {0} products: {MOST} at most")]
    TooMany(usize),
    /// Too many products have patterns.
    #[error("more than {MOST_PATTERNS} products have a pattern: give the others a sku")]
    TooManyPatterns,
    /// One has too many names.
    #[error("product {0:?} has more than {MOST_ALIASES} aliases")]
    TooManyAliases(String),
    /// A name that no text can hold, or that is too long.
    #[error("product {product:?}: {name:?} must hold a letter or a digit, and {LONGEST} characters at most")]
    Name {
        /// Which product.
        product: String,
        /// The name, alias or number.
        name: String,
    },
    /// Two products cannot be told apart.
    #[error(
        "products {first:?} and {second:?} are both called {name:?}, whatever the case and the accents: rename one of them"
    )]
    Duplicate {
        /// One.
        first: String,
        /// The other; the same if one is listed twice.
        second: String,
        /// What both are called.
        name: String,
    },
    /// A pattern cannot be used.
    #[error(
        "product {product:?}: its pattern must be a regular expression of {LONGEST} characters at most that fits no empty text"
    )]
    Pattern {
        /// Which product.
        product: String,
        /// Why, if it is none at all.
        #[source]
        source: Option<regex::Error>,
    },
    /// A category that there is not.
    #[error(
        "product {product:?} is of category {category}, which does not exist; the categories are {known}"
    )]
    Category {
        /// Which product.
        product: String,
        /// Its category.
        category: Category,
        /// Those there are.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    product: Vec<Product>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    sku: Option<String>,
    pattern: Option<String>,
    category: Option<Category>,
}

/// The products of a site; by default none.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    products: Vec<Product>,
    /// By the first word of each name; the longest names first.
    names: HashMap<String, Vec<Name>>,
    patterns: Vec<(Regex, usize)>,
}

/// A name, folded, and whose it is.
#[derive(Debug, Clone)]
struct Name {
    words: Vec<String>,
    product: usize,
}

/// Where a text names a product.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    product: usize,
}

impl Catalogue {
    /// Reads a catalogue written in TOML.
    ///
    /// # Errors
    /// If it is none, is empty or too long, or two products have a name in common.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let File { product: products } = toml::from_str(text).map_err(CatalogueError::Syntax)?;
        match products.len() {
            0 => return Err(CatalogueError::Empty),
            count if count > MOST => return Err(CatalogueError::TooMany(count)),
            _ => {}
        }
        let mut catalogue = Self::default();
        for product in products {
            catalogue.add(product)?;
        }
        for names in catalogue.names.values_mut() {
            names.sort_by_key(|name| std::cmp::Reverse(name.words.len()));
        }
        Ok(catalogue)
    }

    fn add(&mut self, product: Product) -> Result<(), CatalogueError> {
        let number = self.products.len();
        if product.aliases.len() > MOST_ALIASES {
            return Err(CatalogueError::TooManyAliases(product.name));
        }
        self.products.push(product.clone());
        for name in product.aliases.iter().chain([&product.name]).chain(&product.sku) {
            self.add_name(number, name)?;
        }
        let Some(pattern) = &product.pattern else { return Ok(()) };
        let faulty = |source| CatalogueError::Pattern { product: product.name.clone(), source };
        let whole = format!(r"\b(?:{pattern})\b");
        let regex = RegexBuilder::new(&whole).case_insensitive(true).size_limit(PATTERN_SIZE).build();
        let regex = regex.map_err(|error| faulty(Some(error)))?;
        let alone = Regex::new(pattern).map_err(|error| faulty(Some(error)))?;
        if alone.is_match("") || pattern.chars().count() > LONGEST {
            return Err(faulty(None));
        }
        if self.patterns.len() == MOST_PATTERNS {
            return Err(CatalogueError::TooManyPatterns);
        }
        self.patterns.push((regex, number));
        Ok(())
    }

    fn add_name(&mut self, product: usize, name: &str) -> Result<(), CatalogueError> {
        let words: Vec<String> = words(name).into_iter().map(|word| word.folded).collect();
        let owner = |product: usize| self.products[product].name.clone();
        let Some(first) = words.first().cloned().filter(|_| name.chars().count() <= LONGEST) else {
            return Err(CatalogueError::Name { product: owner(product), name: name.to_owned() });
        };
        let known = self.names.get(&first).into_iter().flatten().find(|known| known.words == words);
        if let Some(known) = known {
            let (first, second) = (owner(known.product), owner(product));
            return Err(CatalogueError::Duplicate { first, second, name: name.to_owned() });
        }
        self.names.entry(first).or_default().push(Name { words, product });
        Ok(())
    }

    /// Refuses categories that the taxonomy does not have.
    ///
    /// # Errors
    /// Names the first product of such a category, and the categories there are.
    pub fn check(&self, taxonomy: &Taxonomy) -> Result<(), CatalogueError> {
        for Product { name, category, .. } in &self.products {
            let Some(category) = category else { continue };
            if taxonomy.category(category.as_str()).is_err() {
                let known: Vec<_> = taxonomy.categories().iter().map(|known| known.name.as_str()).collect();
                let (product, category, known) = (name.clone(), category.clone(), known.join(", "));
                return Err(CatalogueError::Category { product, category, known });
            }
        }
        Ok(())
    }

    /// The names that a model is told: of the first hundred products.
    pub(crate) fn told(&self) -> Vec<&str> {
        self.products.iter().take(MOST_TOLD).map(|product| product.name.as_str()).collect()
    }

    /// The product that `text` is about, as it stands there: of the ticket's category before others, then the longest name,
    /// then the first.
    pub(crate) fn find<'a>(&self, text: &'a str, category: Option<&Category>) -> Option<&'a str> {
        let places = self.places(text);
        let fits =
            |place: &Place| category.is_some() && self.products[place.product].category.as_ref() == category;
        let rank = |place: &&Place| (!fits(place), std::cmp::Reverse(place.end - place.start), place.start);
        places.iter().min_by_key(rank).map(|place| &text[place.start..place.end])
    }

    /// Every product that `text` names, as it stands there.
    pub(crate) fn named<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        self.places(text).into_iter().map(|place| &text[place.start..place.end])
    }

    /// Where products are named: at each word the longest name that begins there.
    fn places(&self, text: &str) -> Vec<Place> {
        if self.products.is_empty() {
            return Vec::new();
        }
        let words = words(text);
        let mut found = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let names = self.names.get(&words[at].folded).into_iter().flatten();
            let mut fitting = names.filter(|name| stands_at(text, &words[at..], &name.words));
            if let Some(Name { words: name, product }) = fitting.next() {
                let (start, end) = (words[at].start, words[at + name.len() - 1].end);
                found.push(Place { start, end, product: *product });
                at += name.len();
            } else {
                at += 1;
            }
        }
        for (pattern, product) in &self.patterns {
            let places = pattern.find_iter(text);
            found.extend(places.map(|place| Place {
                start: place.start(),
                end: place.end(),
                product: *product,
            }));
        }
        found
    }
}

/// A word of a text.
struct Word {
    start: usize,
    end: usize,
    /// Without case and accents.
    folded: String,
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = None;
    // A letter may be followed by the marks of its accents.
    let ends = text.char_indices().map(|(at, c)| (at, c.is_alphanumeric() || is_combining_mark(c)));
    for (at, is_letter) in ends.chain([(text.len(), false)]) {
        match (is_letter, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push(Word { start: from, end: at, folded: fold(&text[from..at]) });
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    words
}

/// Whether `words` of `text` begin with those of a name, close together.
fn stands_at(text: &str, words: &[Word], name: &[String]) -> bool {
    let Some(words) = words.get(..name.len()) else { return false };
    let is_close = |pair: &[Word]| {
        let between = &text[pair[0].end..pair[1].start];
        between.chars().count() <= GAP && !between.contains('\n') && !between.contains(". ")
    };
    words.iter().zip(name).all(|(word, own)| word.folded == *own) && words.windows(2).all(is_close)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "[[product]]\nname = 'Drift Kettle'\naliases = ['drift']\nsku = 'DK-1000'\n\
                        [[product]]\nname = 'Drift Kettle Pro'\ncategory = 'order'\n\
                        [[product]]\nname = 'Café Señorita'\npattern = 'CS[0-9]{4}'\ncategory = 'billing'\n";

    fn found<'a>(text: &'a str, category: &str) -> Option<&'a str> {
        let category = Category::parse(category).unwrap();
        Catalogue::parse(LIST).unwrap().find(text, Some(&category))
    }

    #[test]
    fn the_longest_name_is_found_whatever_its_case_and_accents() {
        for (text, product) in [
            ("My DRIFT-kettle pro leaks", "DRIFT-kettle pro"),
            ("my drift kettle, professional", "drift kettle"),
            ("The drift is broken", "drift"),
            ("a cafe senorita for two", "cafe senorita"),
            ("one CAFE\u{301} SEN\u{303}ORITA", "CAFE\u{301} SEN\u{303}ORITA"),
            ("number dk-1000, please", "dk-1000"),
            ("it is cs1234", "cs1234"),
        ] {
            assert_eq!(found(text, "general"), Some(product), "{text}");
        }
    }

    #[test]
    fn names_are_whole_words_close_together() {
        for text in ["adrift", "drifting", "CS12345", "Café. Señorita", "Café\nSeñorita", "kettle pro", ""]
        {
            assert_eq!(found(text, "general"), None, "{text}");
        }
    }

    #[test]
    fn a_product_of_the_tickets_category_goes_first_then_the_longer_name() {
        let text = "The drift kettle came with cs1234.";
        assert_eq!(found(text, "billing"), Some("cs1234"));
        assert_eq!(found(text, "general"), Some("drift kettle"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_do() {
        let many = "[[product]]\nname = 'x'\n".repeat(MOST + 1);
        let products =
            (0..=MOST_PATTERNS).map(|number| format!("[[product]]\nname = 'p{number}'\npattern = 'x'\n"));
        let patterns = products.collect::<Vec<_>>().concat();
        let aliases = format!("[[product]]\nname = 'x'\naliases = {:?}\n", vec!["y"; MOST_ALIASES + 1]);
        for (text, said) in [
            ("", "[[product]]"),
            ("[[product]]\naliases = ['x']", "name"),
            ("[[product]]\nname = 'x'\nprice = 1", "[[product]]"),
            ("[[product]]\nname = ' - '", "letter or a digit"),
            (
                "[[product]]\nname = 'Käse'\n[[product]]\nname = 'Brie'\naliases = ['KASE']",
                "both called \"KASE\"",
            ),
            ("[[product]]\nname = 'x'\npattern = '['", "pattern"),
            ("[[product]]\nname = 'x'\npattern = 'a*'", "no empty text"),
            (&many, "5000 at most"),
            (&aliases, "20 aliases"),
            (&patterns, "100 products"),
        ] {
            let error = Catalogue::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
        let error = Catalogue::parse("[[product]]\nname = 'x'\ncategory = 'cheese'").unwrap();
        let error = error.check(&Taxonomy::built_in().unwrap()).unwrap_err().to_string();
        assert!(error.contains("cheese") && error.contains("billing"), "{error}");
    }

    #[test]
    fn a_model_is_told_no_more_than_a_hundred_names() {
        let products: Vec<String> =
            (0..150).map(|number| format!("[[product]]\nname = 'p{number}'\n")).collect();
        let list = products.concat();
        assert_eq!(Catalogue::parse(&list).unwrap().told().len(), MOST_TOLD);
        assert!(Catalogue::default().told().is_empty());
    }
}
