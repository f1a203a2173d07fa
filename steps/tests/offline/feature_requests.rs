//! Wishes and ideas, which no training data covers: keywords and descriptions alone have to recognise them.

use crate::desk::{Desk, labelled};

#[test]
fn feature_requests_are_recognised_without_training() {
    let desk = Desk::open();
    let wishes = labelled("tests/offline/data/feature_requests.jsonl").unwrap();
    let missed: Vec<&str> = wishes
        .iter()
        .filter(|wish| desk.offline.classify(wish.message()).category.as_str() != "feature_request")
        .map(|wish| wish.subject.as_str())
        .collect();
    println!("of {} wishes {} missed: {missed:?}", wishes.len(), missed.len());
    assert!(wishes.len() - missed.len() >= 62, "{missed:?}");
}

#[test]
fn polite_requests_are_not_taken_for_wishes() {
    let desk = Desk::open();
    let requests = labelled("tests/offline/data/polite_requests.jsonl").unwrap();
    let taken: Vec<&str> = requests
        .iter()
        .filter(|request| desk.offline.classify(request.message()).category.as_str() == "feature_request")
        .map(|request| request.body.as_str())
        .collect();
    assert!(taken.len() <= 1, "{taken:?}");
}
