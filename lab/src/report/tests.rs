use super::fixture::{full, row, series};
use super::*;
use crate::attack::MatrixCell;

#[test]
fn the_same_data_give_the_same_bytes() {
    assert_eq!(html(&full()), html(&full()));
    assert_eq!(text(&full(), 100, true), text(&full(), 100, true));
}

#[test]
fn every_part_is_on_the_page_and_the_page_reaches_nothing_outside() {
    let page = html(&full());
    for wanted in [
        "lazy",
        "sybil",
        "identities = 3",
        "sharper",
        "vtrust, lowest",
        "<svg",
        "<table",
        "default-src 'none'",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for outside in ["src=\"http", "href=\"http", "@import", "url(http", "<script src"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn names_from_strangers_stay_text() {
    let hostile = "</script><img src=x onerror=alert(1)>\"'&";
    let mut data = full();
    data.title = hostile.to_owned();
    data.matrix.push(MatrixCell { policy: hostile.to_owned(), ..row(hostile, 0.1, 0.5) });
    data.curves.push(series(hostile, [0.1, 0.2]));
    data.note(hostile, hostile);
    let page = html(&data);
    assert!(!page.contains("<img src=x") && !page.contains("</script><img"), "a name became markup");
    assert!(page.contains("&lt;img"));
}

#[test]
fn nothing_and_odd_figures_make_a_page_too() {
    assert!(html(&Data::default()).contains("</html>"));
    let mut odd = full();
    odd.matrix.push(MatrixCell { profit_ratio: None, ci95: None, ..row("odd", 0.2, 0.0) });
    odd.matrix.push(row("odd", 0.4, f64::NAN));
    odd.matrix.push(row("odd", 0.5, f64::INFINITY));
    odd.curves.push(series("odd", [f64::NAN, 1e300]));
    odd.add_distribution("odd", []);
    for page in [html(&odd), text(&odd, 80, false)] {
        assert!(!page.is_empty());
    }
}

#[test]
fn no_line_in_the_terminal_is_wider_than_asked_for_and_letters_suffice() {
    for width in [60, 80, 120] {
        for shown in [text(&full(), width, false), ascii(&full(), width)] {
            let widest = shown.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{widest} of {width}");
        }
    }
    assert!(ascii(&full(), 80).is_ascii());
}
