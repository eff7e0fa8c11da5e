use expect_test::expect;
use weighhouse_types::{Block, Epoch, sample};

use super::*;

fn refused(text: &str) -> String {
    WeightTable::parse(text.as_bytes()).expect_err(text).to_string()
}

fn weights(text: &str) -> Vec<(Uid, f64)> {
    let state = sample::subnet(Epoch(1), Block(9), (0..4).map(sample::neuron).collect());
    let table = WeightTable::parse(text.as_bytes()).expect(text);
    table.resolve(&state.metagraph).expect(text)
}

#[test]
fn every_form_says_the_same() {
    let hotkey = sample::neuron(2).hotkey;
    let expected = [(Uid(1), 0.25), (Uid(2), 3.0)];
    for text in [
        format!("uid,weight\n1,0.25\n{hotkey},3\n"),
        format!("\u{feff}1, 0.25\r\n\r\n{hotkey} ,3e0"),
        format!("{{\"1\": 0.25, \"{hotkey}\": 3}}"),
        format!("[[1, 0.25], [\"{hotkey}\", 3]]"),
        format!("[{{\"uid\": 1, \"weight\": 0.25}}, {{\"hotkey\": \"{hotkey}\", \"weight\": 3}}]"),
    ] {
        assert_eq!(weights(&text), expected, "{text}");
    }
}

#[test]
fn whatever_is_wrong_is_named_with_its_place() {
    let mut told = String::new();
    for text in [
        "",
        "uid,weight\n",
        "1,0\n2,0",
        "1,NaN",
        "uid,weight\n1,1\n2,-1",
        "1,inf",
        "1,1\n2,2\n1,3",
        "1;1",
        "1,1,1",
        "70000,1",
        "5Fooo,1",
        "1,one",
        "{\"1\": 1, \"1\": 2}",
        "{\"1\": \"x\"}",
        "{\"1\": 1",
        "[[1, -2]]",
        "[{\"uid\": 1, \"hotkey\": \"5F\", \"weight\": 1}]",
        "[{\"uid\": 1}]",
        "[]",
    ] {
        told.push_str(&format!("{text:?}: {}\n", refused(text)));
    }
    expect![[r#"
        "": it has no weights
        "uid,weight\n": it has no weights
        "1,0\n2,0": every weight is zero
        "1,NaN": line 1: the weight of uid 1 is no finite number
        "uid,weight\n1,1\n2,-1": line 3: the weight of uid 2 is negative
        "1,inf": line 1: the weight of uid 1 is no finite number
        "1,1\n2,2\n1,3": line 3: uid 1 has a weight already, at line 1
        "1;1": line 1: 1 columns where two are read: uid or hotkey, and weight
        "1,1,1": line 1: 3 columns where two are read: uid or hotkey, and weight
        "70000,1": line 1: 70000 is no uid: those end at 65535
        "5Fooo,1": line 1: "5Fooo" is neither a uid nor a hotkey's address (5...)
        "1,one": line 1: "one" is no number
        "{\"1\": 1, \"1\": 2}": entry 2: uid 1 has a weight already, at entry 1
        "{\"1\": \"x\"}": no JSON of weights: invalid type: string "x", expected f64 at line 1 column 9
        "{\"1\": 1": no JSON of weights: EOF while parsing an object at line 1 column 7
        "[[1, -2]]": entry 1: the weight of uid 1 is negative
        "[{\"uid\": 1, \"hotkey\": \"5F\", \"weight\": 1}]": no JSON of weights: entry 1: either uid or hotkey at line 1 column 41
        "[{\"uid\": 1}]": no JSON of weights: a weight is [uid or hotkey, weight], or an object with uid or hotkey and weight at line 1 column 12
        "[]": it has no weights
    "#]].assert_eq(&told);
}

#[test]
fn strangers_and_those_who_come_twice_are_refused_where_they_are_looked_up() {
    let state = sample::subnet(Epoch(1), Block(9), (0..4).map(sample::neuron).collect());
    let resolve =
        |text: String| WeightTable::parse(text.as_bytes()).expect("a table").resolve(&state.metagraph);
    let stranger = resolve("1,1\n4,1".to_owned()).expect_err("refused").to_string();
    assert_eq!(stranger, format!("line 2: uid 4 is not registered in subnet {}", state.metagraph.netuid));
    let twice = resolve(format!("1,1\n{},2", sample::neuron(1).hotkey)).expect_err("refused").to_string();
    assert!(twice.ends_with("is uid 1, which has a weight already, at line 1"), "{twice}");
}

#[test]
fn a_table_is_bounded() {
    let rows = |count: usize| (0..count).map(|uid| format!("{uid},1\n")).collect::<String>();
    assert_eq!(WeightTable::parse(rows(ROWS_MAX).as_bytes()).expect("fits").rows().len(), ROWS_MAX);
    assert_eq!(WeightTable::parse(rows(ROWS_MAX + 1).as_bytes()), Err(TableError::TooMany));
    assert_eq!(WeightTable::parse(&vec![b'1'; TABLE_BYTES_MAX + 1]), Err(TableError::TooLong));
    assert_eq!(WeightTable::parse(&[0xff, 0xfe]), Err(TableError::NotText));
}
