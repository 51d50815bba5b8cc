//! Which file imports which: reads `use` trees and paths that begin with `crate::` or `super::`, and
//! follows re-exports to the file that has the item. Test modules are left out.

use std::collections::{BTreeMap, BTreeSet};

/// A path as written or as an absolute module path, without the leading `crate`.
type Segments = Vec<String>;

/// The modules of the crate, by their absolute path; each with the text of its file, tests left out.
pub struct Modules {
    texts: BTreeMap<Segments, String>,
    /// By module: the names that its `use` items bring in, and what they stand for.
    names: BTreeMap<Segments, BTreeMap<String, Segments>>,
}

impl Modules {
    /// From the path of each file below `src` and its text.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let by_module = |(file, text): (String, String)| (module_of(&file), without_tests(&text));
        let texts: BTreeMap<_, _> = files.into_iter().map(by_module).collect();
        let mut modules = Self { texts, names: BTreeMap::new() };
        for (module, text) in &modules.texts {
            let mut names = BTreeMap::new();
            for path in used_paths(text) {
                let Some(name) = path.last().filter(|name| *name != "*") else { continue };
                if let Some(path) = modules.absolute(module, &path) {
                    names.insert(name.clone(), path);
                }
            }
            modules.names.insert(module.clone(), names);
        }
        modules
    }

    /// For each module the modules that it imports from: neither itself, nor one above or below it,
    /// since a file below extends the types of the one above.
    pub fn edges(&self) -> BTreeMap<Segments, BTreeSet<Segments>> {
        let of_one = |(module, text): (&Segments, &String)| {
            let paths = used_paths(text).into_iter().chain(inline_paths(text));
            let targets = paths.filter_map(|path| self.owner(self.absolute(module, &path)?, 0));
            let apart = |target: &Segments| !module.starts_with(target) && !target.starts_with(module);
            (module.clone(), targets.filter(apart).collect())
        };
        self.texts.iter().map(of_one).collect()
    }

    /// The groups of modules each of which imports from all others, directly or through them.
    pub fn circles(&self) -> BTreeSet<BTreeSet<String>> {
        let edges = self.edges();
        let reached: BTreeMap<&Segments, BTreeSet<&Segments>> =
            edges.keys().map(|from| (from, reachable(&edges, from))).collect();
        let circle_of = |module: &Segments| -> BTreeSet<String> {
            let mutual = reached[module].iter().filter(|other| reached[**other].contains(module));
            mutual.map(|other| other.join("/")).collect()
        };
        edges.keys().map(circle_of).filter(|circle| !circle.is_empty()).collect()
    }

    /// A path as it is written in a module, from the root; none if it leads out of the crate.
    fn absolute(&self, module: &Segments, path: &[String]) -> Option<Segments> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                self.texts.contains_key(&base).then_some(())?;
                rest = &path[1..];
            }
        }
        Some([base, rest.to_vec()].concat())
    }

    /// The module that has this item, through re-exports.
    fn owner(&self, path: Segments, depth: u32) -> Option<Segments> {
        let known = (0..=path.len()).rev().find(|length| self.texts.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(known);
        let renamed = rest.first().and_then(|name| self.names.get(module)?.get(name));
        match renamed {
            Some(target) if depth < 8 && *target != path => {
                self.owner([target.clone(), rest[1..].to_vec()].concat(), depth + 1)
            }
            _ if module.is_empty() => None,
            _ => Some(module.to_vec()),
        }
    }
}

fn reachable<'a>(
    edges: &'a BTreeMap<Segments, BTreeSet<Segments>>,
    from: &Segments,
) -> BTreeSet<&'a Segments> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Segments> = edges[from].iter().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&edges[next]);
        }
    }
    found
}

/// `net/server/mod.rs` is the module `net`, `server`; `lib.rs` is the root.
fn module_of(file: &str) -> Segments {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let is_root = path == "lib";
    path.split('/').filter(|_| !is_root).map(str::to_owned).collect()
}

/// Without comments, and without what follows `#[cfg(test)]` before a `mod`: tests stand last in a file.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The leaves of all `use` trees.
fn used_paths(text: &str) -> Vec<Segments> {
    let mut paths = Vec::new();
    let starts = text.match_indices("use ").filter(|(at, _)| {
        let before = text[..*at].rsplit('\n').next().unwrap_or("").trim();
        before.is_empty() || before.starts_with("pub")
    });
    for (at, word) in starts {
        let tree = text[at + word.len()..].split(';').next().unwrap_or("");
        leaves(tree, &mut Vec::new(), &mut paths);
    }
    paths
}

fn leaves(tree: &str, prefix: &mut Segments, paths: &mut Vec<Segments>) {
    let tree = tree.trim().split(" as ").next().unwrap_or("").trim();
    if let Some((head, group)) = tree.split_once('{') {
        let kept = prefix.len();
        prefix.extend(segments(head));
        let group = group.strip_suffix('}').unwrap_or(group);
        split_group(group).into_iter().for_each(|part| leaves(part, prefix, paths));
        prefix.truncate(kept);
    } else if !tree.is_empty() {
        let mut path = [prefix.clone(), segments(tree)].concat();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        paths.push(path);
    }
}

/// The parts between the commas of the outermost level.
fn split_group(group: &str) -> Vec<&str> {
    let mut depth = 0;
    group
        .split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        })
        .collect()
}

/// Paths from `crate::` or `super::` on, within code.
fn inline_paths(text: &str) -> Vec<Segments> {
    let starts = ["crate::", "super::"].into_iter().flat_map(|word| text.match_indices(word));
    let of_one = |(at, _): (usize, &str)| {
        let end = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        segments(&text[at..end.map_or(text.len(), |end| at + end)])
    };
    starts.map(of_one).collect()
}

fn segments(path: &str) -> Segments {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

#[test]
fn imports_are_followed_through_groups_and_re_exports() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let modules = Modules::new([
        file("lib.rs", "pub mod a;\npub mod b;"),
        file("a/mod.rs", "mod inner;\npub use inner::{Item, Other as Renamed};"),
        file("a/inner.rs", "use crate::b::{self, Part};\nfn f() { crate::b::deep::call() }"),
        file("b/mod.rs", "mod deep;\n// use crate::a::Item;\n"),
        file("b/deep.rs", "use crate::{rng, a::{Item}};\n#[cfg(test)]\nmod tests {\nuse crate::a::X;\n}"),
    ]);
    let edges: Vec<String> = modules
        .edges()
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| format!("{} > {}", from.join("/"), to.join("/"))))
        .collect();
    assert_eq!(edges, ["a/inner > b", "a/inner > b/deep", "b/deep > a/inner"]);
    let circle = BTreeSet::from(["a/inner".to_owned(), "b/deep".to_owned()]);
    assert_eq!(modules.circles(), BTreeSet::from([circle]));
}
