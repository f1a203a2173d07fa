use super::*;

#[test]
fn an_unknown_key_in_the_file_is_refused_by_name() {
    let error = toml::from_str::<File>("[worker]\ncapasity = 3\n").unwrap_err().to_string();
    assert!(error.contains("capasity") && error.contains("capacity"), "{error}");
}

#[test]
fn on_citus_nothing_notifies_and_another_topology_is_refused() {
    let config = |text: &str| {
        let file = toml::from_str(text)?;
        let args = <Flags as clap::Parser>::parse_from(["ticketflow"]).global;
        Ok::<_, toml::de::Error>(Config { args, file })
    };
    let single = config("").unwrap();
    assert_eq!((single.topology(), single.notify()), (Topology::Single, true));
    let citus = config("[database]\ntopology = \"citus\"\nnotify = true\n").unwrap();
    assert_eq!((citus.topology(), citus.notify()), (Topology::Citus, false));
    let refused = config("[database]\ntopology = \"cluster\"\n").unwrap_err().to_string();
    assert!(refused.contains("single") && refused.contains("citus"), "{refused}");
}

#[test]
fn citus_behind_a_pooler_that_opens_transactions_is_refused() {
    let check = |pooler: &str| {
        let args = <Flags as clap::Parser>::parse_from(["ticketflow"]).global;
        let file = format!("[database]\ntopology = \"citus\"\npooler = \"{pooler}\"\n");
        Config { args, file: toml::from_str(&file).unwrap() }.check_pooler()
    };
    assert!(check("transaction").unwrap_err().to_string().contains("prepared"));
    check("prepared").unwrap();
}

#[test]
fn a_retention_shorter_than_idempotency_keys_hold_is_refused() {
    let check = |text: &str| toml::from_str::<File>(text).unwrap().check();
    check("[worker]\nretention_days = 1\n").unwrap();
    let longer = "[server]\nidempotency_hours = 25\n[worker]\nretention_days = 1\n";
    assert!(check(longer).unwrap_err().to_string().contains("second ticket"));
}

#[derive(Debug, clap::Parser)]
struct Flags {
    #[command(flatten)]
    global: GlobalArgs,
}

#[test]
fn a_default_directory_gives_way_to_the_one_that_was_named() {
    let config = |flags: &[&str]| {
        let args = <Flags as clap::Parser>::parse_from([&["ticketflow"], flags].concat()).global;
        Config { args, file: File::default() }.with_default_data_dir(Some("/beside".into()))
    };
    assert_eq!(config(&["--data-dir", "/mine"]).data_dir(), Some("/mine".into()));
    if std::env::var_os("TICKETFLOW_DATA_DIR").is_none() {
        assert_eq!(config(&[]).data_dir(), Some("/beside".into()));
    }
}

#[test]
fn a_value_that_would_hang_the_program_is_refused_with_its_range() {
    let file: File = toml::from_str("[worker]\nlease_seconds = 0\n").unwrap();
    let error = file.check().unwrap_err().to_string();
    assert!(error.contains("worker.lease_seconds = 0") && error.contains("1 to 3600"), "{error}");
    assert!(parse_lease("100ms").is_err() && parse_lease("2s").is_ok());
    assert!(parse_lease("abc").unwrap_err().contains("15s"));
}
