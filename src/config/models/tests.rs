use super::*;

fn file(text: &str) -> File {
    toml::from_str(text).unwrap()
}

fn variables(set: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

const LOCAL: &str = "[providers.local]\nbase_url = \"http://localhost:11434/v1\"\n";

fn refusal(text: &str) -> String {
    format!("{:#}", file(text).check_models().unwrap_err())
}

#[test]
fn without_a_provider_and_a_variable_nothing_is_asked() {
    let settings = file("").models(&variables(&[])).unwrap();
    assert!(settings.steps.is_empty() && settings.providers.is_empty());
    // A model's name alone is no provider.
    assert!(file("").models(&variables(&[("OPENAI_MODEL", "m")])).unwrap().steps.is_empty());
}

#[test]
fn variables_alone_turn_on_the_four_steps() {
    let settings = file("").models(&variables(&[("OPENAI_API_KEY", "sk-canary")])).unwrap();
    assert_eq!(settings.steps.keys().copied().collect::<Vec<_>>(), MODEL_STEPS);
    let provider = &settings.providers[OPENAI];
    assert_eq!((provider.base_url.as_str(), provider.api_key.is_some()), (OPENAI_URL, true));
    assert!(!format!("{settings:?}").contains("sk-canary"), "a key is printed");
    let set = variables(&[("OPENAI_BASE_URL", "http://localhost:8080/v1"), ("OPENAI_MODEL", "qwen3")]);
    let settings = file("").models(&set).unwrap();
    assert_eq!(settings.steps[&TriageStep::Draft].model, "qwen3");
    let unnamed = file("").models(&variables(&[("OPENAI_BASE_URL", "http://localhost:8080/v1")]));
    assert!(unnamed.unwrap_err().to_string().contains("OPENAI_MODEL"));
}

#[test]
fn a_file_goes_before_the_variables() {
    let text = format!("{LOCAL}[steps.draft]\nprovider = \"local\"\nmodel = \"qwen3\"\ntemperature = 0.2\n");
    let settings =
        file(&text).models(&variables(&[("OPENAI_API_KEY", "k"), ("LOCAL_API_KEY", "l")])).unwrap();
    assert_eq!(settings.steps.keys().copied().collect::<Vec<_>>(), [TriageStep::Draft]);
    assert_eq!(settings.steps[&TriageStep::Draft].temperature, Some(0.2));
    assert!(settings.providers["local"].api_key.is_some() && !settings.providers.contains_key(OPENAI));
}

#[test]
fn a_key_is_read_from_the_file_that_a_variable_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "sk-from-file\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
    let set = move |name: &str| (name == "OPENAI_API_KEY_FILE").then(|| path.clone());
    assert!(file("").models(&set).unwrap().providers[OPENAI].api_key.is_some());
    let missing = file("").models(&variables(&[("OPENAI_API_KEY_FILE", "/nowhere/key")])).unwrap_err();
    assert!(missing.to_string().contains("OPENAI_API_KEY_FILE"), "{missing}");
    let two_lines = file("").models(&variables(&[("OPENAI_API_KEY", "a\nb")])).unwrap_err();
    let said = format!("{two_lines:#}");
    assert!(said.contains("OPENAI_API_KEY") && said.contains("no key") && !said.contains("a\nb"), "{said}");
}

#[test]
fn a_key_that_is_missing_is_asked_for_by_name() {
    let text = "[providers.openai]\n[steps.draft]\nprovider = \"openai\"\nmodel = \"m\"\n";
    let said = format!("{:#}", file(text).models(&variables(&[])).unwrap_err());
    assert!(said.contains("OPENAI_API_KEY_FILE") && said.contains("[providers.openai]"), "{said}");
    file(text).check_models().unwrap();
}

#[test]
fn what_does_not_go_together_is_refused_with_what_to_do() {
    let draft = "[steps.draft]\nprovider = \"local\"\nmodel = \"m\"\n";
    let price = "budget_per_day = 5.0\n";
    for (text, told) in [
        (LOCAL.to_owned(), "no step asks [providers.local]"),
        (draft.to_owned(), "add [providers.local]"),
        (format!("{LOCAL}[steps.draft]\nmodel = \"m\"\n"), "both provider and model"),
        (format!("{LOCAL}{draft}[steps.classify]\ntemperature = 0.1\n"), "name provider and model"),
        (
            format!("{LOCAL}{}", draft.replace("draft", "research")),
            "only classify, extract, draft and review",
        ),
        (format!("{LOCAL}{draft}temperature = 3.0\n"), "from 0 to 2"),
        (format!("{LOCAL}{draft}variant_percent = 101\n"), "from 0 to 100"),
        (format!("{LOCAL}{price}{draft}"), "[providers.local.prices.models.\"m\"]"),
        (format!("{LOCAL}timeout_seconds = 30\n{draft}"), "raise it to 65000"),
        (format!("{LOCAL}concurrency = 0\n{draft}"), "use 1 to 10000"),
        (format!("{LOCAL}format = \"xml\"\n{draft}"), "json_object"),
        (format!("[providers.local]\nbase_url = \"localhost:1\"\n{draft}"), "such as https://"),
        (format!("[providers.local]\n{draft}"), "base_url is missing"),
        (format!("{LOCAL}api_key = \"k\"\n{draft}"), "LOCAL_API_KEY_FILE"),
    ] {
        let said = refusal(&text);
        assert!(said.contains(told), "{told:?} is not in {said:?}");
    }
}

#[test]
fn prices_are_per_million_tokens_and_what_is_cached_costs_the_same_unless_told() {
    let text = format!(
        "{LOCAL}budget_per_ticket = 0.05\n[providers.local.prices]\nversion = \"2026-11\"\n\
         [providers.local.prices.models.\"m\"]\ninput = 2.0\noutput = 8.0\n\
         [steps.draft]\nprovider = \"local\"\nmodel = \"m\"\n"
    );
    let settings = file(&text).models(&variables(&[])).unwrap();
    let prices = settings.providers["local"].prices.clone().unwrap();
    assert_eq!((prices.version.as_str(), prices.models["m"].cached), ("2026-11", 2.0));
}

/// Whoever copies a section gets no error. Which servers take it was not tried here.
#[test]
fn every_example_of_the_documentation_goes_together() {
    let examples = include_str!("../../../docs/providers.md").split("```toml\n").skip(1);
    let examples: Vec<&str> = examples.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 5);
    for example in examples {
        let complete =
            if example.contains("[steps.") { example.to_owned() } else { stepless(example, "gateway") };
        file(&complete).check_models().unwrap_or_else(|error| panic!("{error:#} in\n{complete}"));
    }
}

fn stepless(example: &str, provider: &str) -> String {
    format!("{example}\n[steps.draft]\nprovider = \"{provider}\"\nmodel = \"m\"\n")
}
