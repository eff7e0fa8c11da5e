//! Setting a key in a policy file's text: everything else stays as it is written, comments above all.
//!
//! It knows the tables and plain values that policy files are written in; whoever uses it reads the result back and looks.

/// The text with `key`, dotted, set to `value`.
pub(super) fn set(text: &str, key: &str, value: &toml::Value) -> String {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut at_section = section.is_empty();
    let mut last = section.is_empty().then_some(0);
    for at in 0..lines.len() {
        let line = lines[at].trim();
        if let Some(head) = line.strip_prefix('[') {
            at_section = head.split(']').next().is_some_and(|head| head.trim() == section);
        } else if at_section && line.split_once('=').is_some_and(|(left, _)| left.trim() == name) {
            let comment = comment_of(&lines[at]).map_or(String::new(), |comment| format!(" {comment}"));
            lines[at] = format!("{name} = {value}{comment}");
            return lines.join("\n") + "\n";
        }
        if at_section && !line.is_empty() && !line.starts_with('#') {
            last = Some(at + 1);
        }
    }
    match last {
        Some(last) => lines.insert(last, format!("{name} = {value}")),
        None => lines.extend([String::new(), format!("[{section}]"), format!("{name} = {value}")]),
    }
    lines.join("\n") + "\n"
}

/// The comment behind a value; a `#` within quotes is none.
fn comment_of(line: &str) -> Option<&str> {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '#') => return Some(&line[at..]),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::set;
    use crate::policy::PolicyFile;

    #[test]
    fn a_value_changes_and_every_comment_stays() {
        let text = "# head\nversion = 2\n\n[shape]\n# why\nfloor = 0.4 # and how\n\n[guards]\n# end\nmin_miners = 1\n";
        let changed = set(text, "shape.floor", &toml::Value::Float(0.55));
        assert_eq!(changed, text.replace("0.4", "0.55"));
        let added = set(text, "shape.kind", &toml::Value::String("rank".to_owned()));
        assert_eq!(added, text.replace("and how\n", "and how\nkind = \"rank\"\n"));
        let new = set(text, "average.half_life", &toml::Value::Float(2.0));
        assert_eq!(new, format!("{text}\n[average]\nhalf_life = 2.0\n"));
    }

    #[test]
    fn a_policy_takes_other_values_and_keeps_its_words() {
        let file = PolicyFile::shipped();
        let values = [
            ("shape.floor".to_owned(), toml::Value::Float(0.6)),
            ("audit.rounds".to_owned(), toml::Value::Integer(9)),
        ];
        let changed = file.with(&values).expect("a policy");
        assert_eq!(changed.values()["shape.floor"], toml::Value::Float(0.6));
        assert_eq!(changed.policy().rounds(), Some(9));
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(comments(changed.text()), comments(file.text()));
        assert_eq!(file.with(&[]).expect("itself"), file);
        assert_eq!(file.with(&[("shape.floor".to_owned(), toml::Value::Float(7.0))]), None);
    }
}
