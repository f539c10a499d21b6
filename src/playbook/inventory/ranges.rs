//! Ranges of names as Ansible writes them: `web-[01:10]`, `db-[a:c]`, `x[0:8:2]`.

/// Names that one pattern may stand for.
const MOST: usize = 100_000;

/// The names that a pattern stands for; a name without brackets stands for itself. A port behind it
/// is how Ansible reaches the server, and left out. Else what is wrong with it.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, &'static str> {
    let mut names = vec![String::new()];
    let mut rest = without_port(pattern);
    if rest.contains('[') && rest.contains('|') {
        return Err("a range in a name with `|`");
    }
    while let Some(open) = rest.find('[') {
        let close = rest[open..].find(']').ok_or("a bracket that is never closed")? + open;
        let values = range(&rest[open + 1..close])?;
        if names.len().saturating_mul(values.len()) > MOST {
            return Err("more than 100,000 names");
        }
        let before = &rest[..open];
        names = names
            .iter()
            .flat_map(|name| values.iter().map(move |value| format!("{name}{before}{value}")))
            .collect();
        rest = &rest[close + 1..];
    }
    if rest.contains(']') {
        return Err("a bracket that was never opened");
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// Ansible lets a port follow a name: `web-1:2222`, and `[web-1]:2222`. An address of IPv6 has colons
/// of its own, and what is no name of a host keeps all that is written.
fn without_port(pattern: &str) -> &str {
    let Some((host, port)) = pattern.rsplit_once(':') else { return pattern };
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let whole = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']'));
    let whole = whole.filter(|inside| !inside.contains(['[', ']']) && is_host(inside));
    match whole {
        Some(inside) if is_port => inside,
        Some(_) | None if is_port && is_host(host) => host,
        Some(_) | None => pattern,
    }
}

/// Whether Ansible takes a text for the name of a host, with ranges or without.
fn is_host(text: &str) -> bool {
    let (mut plain, mut inside) = (String::new(), false);
    for sign in text.chars() {
        match (sign, inside) {
            ('[', false) => inside = true,
            (']', true) => {
                inside = false;
                // A range may stand wherever a letter may.
                plain.push('0');
            }
            (_, true) => {}
            (_, false) => plain.push(sign),
        }
    }
    let part = |label: &str| {
        let known = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '-');
        label.chars().all(known) && !label.starts_with('-') && !label.ends_with(['_', '-'])
    };
    !inside && plain.split('.').all(|label| !label.is_empty() && part(label))
}

/// What stands between the brackets, written out: zeros in front are kept.
fn range(text: &str) -> Result<Vec<String>, &'static str> {
    let parts: Vec<&str> = text.split(':').collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, "1"),
        [first, last, step] => (*first, *last, *step),
        _ => return Err("not a range: it is written as [first:last]"),
    };
    // Without its first number a range begins with zero.
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return Err("a range without its end");
    }
    let step = whole(step).filter(|step| *step > 0).ok_or("not a step")?;
    if let (Some(from), Some(to)) = (whole(first), whole(last)) {
        let padded = first.len() > 1 && first.starts_with('0');
        if padded && first.len() != last.len() {
            return Err("a range with zeros in front, whose ends differ in length");
        }
        return numbers(if padded { first.len() } else { 1 }, (from, to), step);
    }
    match (letter(first), letter(last)) {
        (Some(from), Some(to)) if from <= to => {
            Ok((from..=to).step_by(step).map(|letter| char::from(letter).to_string()).collect())
        }
        (Some(_), Some(_)) => Err("a range that ends before it begins"),
        _ => Err("not a range: two numbers, or two letters of one case"),
    }
}

fn numbers(
    width: usize,
    (from, to): (usize, usize),
    step: usize,
) -> Result<Vec<String>, &'static str> {
    if from > to {
        return Err("a range that ends before it begins");
    }
    if (to - from) / step >= MOST {
        return Err("more than 100,000 names");
    }
    Ok((from..=to).step_by(step).map(|number| format!("{number:0width$}")).collect())
}

fn whole(text: &str) -> Option<usize> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_out_and_keeps_its_zeros() {
        let check = |pattern: &str, names: &str| {
            assert_eq!(expand(pattern).map(|names| names.join(" ")), Ok(names.to_owned()));
        };
        check("web-1", "web-1");
        check("web-[08:11].x", "web-08.x web-09.x web-10.x web-11.x");
        check("web-[1:3]", "web-1 web-2 web-3");
        check("x[0:8:4]", "x0 x4 x8");
        check("web-[:2]", "web-0 web-1 web-2");
        check("web-[1:03]", "web-1 web-2 web-3");
        check("web-[1:2]:2222", "web-1 web-2");
        check("web-1.x:22", "web-1.x");
        check("[web-1]:22", "web-1");
        check("2001:db8::1", "2001:db8::1");
        check("web_:22", "web_:22");
        check("[a:c]-[1:2]", "a-1 a-2 b-1 b-2 c-1 c-2");
    }

    #[test]
    fn what_is_no_range_or_has_no_end_is_refused() {
        for pattern in [
            "a[1:",
            "a1]",
            "a[1]",
            "a[]",
            "a[3:1]",
            "a[c:a]",
            "a[1:c]",
            "a[aa:bb]",
            "a[1:5:0]",
            "a[-1:3]",
            "a[0:999999999]",
            "a[0:999][0:999]",
            "a[a:A]",
            "a[1:2:3:4]",
            "a[0:9999999999]",
            "a[1:]",
            "a[:]",
            "a[:c]",
            "a[008:11]",
            "a|b[1:2]",
        ] {
            assert!(expand(pattern).is_err(), "{pattern}");
        }
    }
}
