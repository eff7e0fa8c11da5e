//! Text to train on: a folder of plain text, Markdown, or HTML, such as the documentation of a Rust toolchain.

use std::io;
use std::path::{Path, PathBuf};

/// Most bytes of one document, and most documents.
const DOCUMENT_BYTES_MAX: u64 = 8 << 20;
const DOCUMENTS_MAX: usize = 100_000;
const FOLDERS_DEEP: usize = 16;
/// Pages that say again what others say.
const SKIPPED: [&str; 3] = ["print.html", "toc.html", "404.html"];
/// Elements whose contents are no text of the page.
const UNREAD: [&str; 4] = ["script", "style", "nav", "button"];

/// The folder's documents in the order of their paths, as plain text; those without any are left out.
///
/// # Errors
/// A folder or file that can't be read.
pub(crate) fn read(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    walk(root, 0, &mut paths)?;
    // Folders are listed in any order, and the weights must not depend on it.
    paths.sort();
    let mut documents = Vec::new();
    for path in paths {
        let raw = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let html = path.extension().is_some_and(|ending| ending == "html");
        let text = if html { plain(&raw) } else { raw };
        if !text.trim().is_empty() {
            documents.push(text);
        }
    }
    Ok(documents)
}

fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let named = |endings: &[&str]| {
            path.extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| endings.contains(&ending))
        };
        // A link is neither folder nor file here, so that none leads round in a circle.
        if kind.is_dir() && depth < FOLDERS_DEEP {
            walk(&path, depth + 1, paths)?;
        } else if kind.is_file()
            && named(&["txt", "md", "html"])
            && !SKIPPED.iter().any(|name| path.ends_with(name))
            && entry.metadata()?.len() <= DOCUMENT_BYTES_MAX
            && paths.len() < DOCUMENTS_MAX
        {
            paths.push(path);
        }
    }
    Ok(())
}

/// The text of a page's `main` element, without mark-up; of the whole page if it has none.
fn plain(html: &str) -> String {
    let main = html.find("<main").map_or(html, |at| &html[at..]);
    let main = main.find("</main>").map_or(main, |end| &main[..end]);
    let mut text = String::new();
    let mut rest = main;
    while let Some(open) = rest.find('<') {
        push_decoded(&mut text, &rest[..open]);
        let Some(close) = rest[open..].find('>') else { return tidy(&text) };
        let tag = &rest[open + 1..open + close];
        rest = &rest[open + close + 1..];
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if UNREAD.contains(&name) {
            let end = format!("</{name}>");
            rest = rest.find(&end).map_or("", |at| &rest[at + end.len()..]);
        }
        if matches!(name, "p" | "li" | "h1" | "h2" | "h3" | "h4" | "pre" | "tr" | "div" | "br") {
            text.push('\n');
        }
    }
    push_decoded(&mut text, rest);
    tidy(&text)
}

fn push_decoded(text: &mut String, escaped: &str) {
    let mut rest = escaped;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        let known = [
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&amp;", '&'),
            ("&quot;", '"'),
            ("&#39;", '\''),
            ("&#x27;", '\''),
        ];
        let found = known.iter().find(|(entity, _)| rest[at..].starts_with(entity));
        let (length, character) = found.map_or((1, '&'), |(entity, character)| (entity.len(), *character));
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
}

/// At most one empty line in a row.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            tidy.push_str(line);
            tidy.push('\n');
        }
        empty = line.is_empty();
    }
    tidy
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_its_text() {
        let page = "<html><nav>menu</nav><main class=\"x\"><h1>Vectors</h1><p>A <code>Vec&lt;T&gt;</code> &amp; more\
                    <script>let x = 1 < 2;</script></p>\n\n\n<p>End</main><p>foot</html>";
        assert_eq!(plain(page), "Vectors\nA Vec<T> & more\n\nEnd\n");
        assert_eq!(plain("a < b"), "a\n");
        assert_eq!(plain("1 &unknown; 2"), "1 &unknown; 2\n");
    }

    #[test]
    fn documents_come_in_the_order_of_their_paths() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::create_dir(folder.path().join("b")).expect("folder");
        for (name, text) in [("b/one.md", "one"), ("a.txt", "two"), ("c.bin", "no"), ("b/print.html", "no")] {
            std::fs::write(folder.path().join(name), text).expect("file");
        }
        assert_eq!(read(folder.path()).expect("read"), ["two", "one"]);
    }
}
