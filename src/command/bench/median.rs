//! The median of several reports, number by number.

use serde_json::{Number, Value};

/// The report whose every number is the median of that number in `reports`. What is not a number is the first one's.
pub(super) fn median(reports: &[Value]) -> Value {
    match reports.first() {
        Some(Value::Object(first)) => first
            .keys()
            .map(|key| (key.clone(), median(&of_all(reports, |report| report.get(key)))))
            .collect(),
        Some(Value::Array(first)) => {
            (0..first.len()).map(|position| median(&of_all(reports, |report| report.get(position)))).collect()
        }
        Some(Value::Number(_)) => Value::Number(middle(reports)),
        Some(other) => other.clone(),
        None => Value::Null,
    }
}

fn of_all(reports: &[Value], part: impl Fn(&Value) -> Option<&Value>) -> Vec<Value> {
    reports.iter().filter_map(part).cloned().collect()
}

/// The lower one of the two in the middle, where there are two: a number that was measured.
fn middle(numbers: &[Value]) -> Number {
    let mut numbers: Vec<&Number> = numbers.iter().filter_map(Value::as_number).collect();
    numbers.sort_by(|one, other| value(one).total_cmp(&value(other)));
    numbers.get(numbers.len().saturating_sub(1) / 2).map_or_else(|| 0.into(), |middle| (*middle).clone())
}

fn value(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_number_is_the_median_of_its_own() {
        let reports = [
            json!({"server": "a", "rate": 3.5, "posts": [{"clients": 16, "p99": 1.0}], "statements": null}),
            json!({"server": "a", "rate": 1.5, "posts": [{"clients": 16, "p99": 9.0}], "statements": null}),
            json!({"server": "a", "rate": 2.5, "posts": [{"clients": 16, "p99": 4.0}], "statements": null}),
        ];
        let expected =
            json!({"server": "a", "rate": 2.5, "posts": [{"clients": 16, "p99": 4.0}], "statements": null});
        assert_eq!(median(&reports), expected);
        assert_eq!(median(&reports[..1]), reports[0]);
    }
}
