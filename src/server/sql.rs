//! Values and names as SQL takes them.

/// A text as SQL takes it, whatever `standard_conforming_strings` is: a message is read before its settings are set.
pub(crate) fn literal(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains('\\') { format!("E{}", quoted.replace('\\', "\\\\")) } else { quoted }
}

/// Texts for `in (…)`.
pub(crate) fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(literal).collect::<Vec<_>>().join(", ")
}

/// Rows of texts for `values …`.
pub(crate) fn rows<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(|text| format!("({})", literal(text))).collect::<Vec<_>>().join(", ")
}
