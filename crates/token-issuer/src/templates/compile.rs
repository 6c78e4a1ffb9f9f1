//! A template from JSON: everything that can be known without a token is checked here, once.

use serde_json::{Map, Value};

use super::faults::{Problem, TemplateFault};
use super::reference::Reference;
use super::syntax::{self, Part};
use super::{MAX_DEPTH, MAX_NODES, MAX_TEMPLATE_BYTES, RESERVED_CLAIMS};

/// A compiled JSON value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Without any reference, however large.
    Literal(Value),
    Reference(Reference),
    Text(Vec<Text>),
    List(Vec<Self>),
    Object(Vec<Member>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Literal(Box<str>),
    Reference(Reference),
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) node: Node,
}

impl Node {
    fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }
}

pub(super) fn compile(template: &Value) -> Result<Vec<Member>, Vec<TemplateFault>> {
    let fault = |problem| {
        Err(vec![TemplateFault {
            pointer: String::new(),
            problem,
        }])
    };
    let Value::Object(members) = template else {
        return fault(Problem::NotAnObject);
    };
    if template.to_string().len() > MAX_TEMPLATE_BYTES {
        return fault(Problem::TooLong);
    }
    let mut compiler = Compiler::default();
    for name in members.keys() {
        if let Some(claim) = RESERVED_CLAIMS.iter().find(|claim| *claim == name) {
            compiler.at(name, |it| it.fault(Problem::Reserved { claim }));
        }
    }
    compiler.nodes += 1;
    let members = compiler.object(members, 1);
    if compiler.nodes > MAX_NODES {
        return fault(Problem::TooManyNodes);
    }
    if compiler.faults.is_empty() {
        Ok(members)
    } else {
        Err(compiler.faults)
    }
}

/// Where the walk is, and what it has found.
#[derive(Default)]
struct Compiler {
    pointer: String,
    nodes: usize,
    faults: Vec<TemplateFault>,
}

impl Compiler {
    fn fault(&mut self, problem: Problem) {
        self.faults.push(TemplateFault {
            pointer: self.pointer.clone(),
            problem,
        });
    }

    fn at<T>(&mut self, step: &str, walk: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        // RFC 6901, section 3
        self.pointer
            .push_str(&step.replace('~', "~0").replace('/', "~1"));
        let result = walk(self);
        self.pointer.truncate(length);
        result
    }

    fn object(&mut self, members: &Map<String, Value>, depth: usize) -> Vec<Member> {
        let mut compiled = Vec::with_capacity(members.len());
        for (name, value) in members {
            let node = self.at(name, |it| {
                if name.contains("{{") || name.contains("}}") {
                    it.fault(Problem::ReferenceInName);
                }
                it.node(value, depth + 1, true)
            });
            compiled.push(Member {
                name: name.clone(),
                node,
            });
        }
        compiled
    }

    /// `member`: the value is a member of an object, and can be left out.
    fn node(&mut self, value: &Value, depth: usize, member: bool) -> Node {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            self.fault(Problem::TooDeep);
            return Node::Literal(Value::Null);
        }
        match value {
            Value::String(text) => match self.text(text, member) {
                Ok(node) => node,
                Err(problem) => {
                    self.fault(problem);
                    Node::Literal(Value::Null)
                }
            },
            Value::Array(items) => {
                let steps = items.iter().enumerate();
                let nodes: Vec<_> = steps
                    .map(|(at, item)| {
                        self.at(&at.to_string(), |it| it.node(item, depth + 1, false))
                    })
                    .collect();
                if nodes.iter().all(Node::is_literal) {
                    Node::Literal(value.clone())
                } else {
                    Node::List(nodes)
                }
            }
            Value::Object(members) => {
                let members = self.object(members, depth);
                if members.iter().all(|member| member.node.is_literal()) {
                    Node::Literal(value.clone())
                } else {
                    Node::Object(members)
                }
            }
            scalar => Node::Literal(scalar.clone()),
        }
    }

    fn text(&mut self, text: &str, member: bool) -> Result<Node, Problem> {
        let parts = syntax::split(text)?;
        match parts.as_slice() {
            [] | [Part::Literal(_)] => Ok(Node::Literal(text.into())),
            [Part::Expression(expression)] => {
                let reference = syntax::expression(expression)?;
                if reference.optional && !member {
                    return Err(not_optional(&reference));
                }
                Ok(Node::Reference(reference))
            }
            parts => {
                // Each reference is one more thing to render.
                let references = parts
                    .iter()
                    .filter(|part| matches!(part, Part::Expression(_)));
                self.nodes += references.count();
                parts
                    .iter()
                    .map(piece)
                    .collect::<Result<_, _>>()
                    .map(Node::Text)
            }
        }
    }
}

fn piece(part: &Part<'_>) -> Result<Text, Problem> {
    let expression = match part {
        Part::Literal(text) => return Ok(Text::Literal((*text).into())),
        Part::Expression(expression) => expression,
    };
    let reference = syntax::expression(expression)?;
    if reference.optional {
        return Err(not_optional(&reference));
    }
    if !reference.may_be_scalar() {
        return Err(Problem::NotScalar {
            reference: reference.name.to_string(),
        });
    }
    Ok(Text::Reference(reference))
}

fn not_optional(reference: &Reference) -> Problem {
    Problem::NotOptional {
        reference: reference.name.to_string(),
    }
}

/// All references, in the order of the template.
pub(super) fn references(members: &[Member]) -> Vec<&Reference> {
    let mut found = Vec::new();
    for member in members {
        collect(&member.node, &mut found);
    }
    found
}

fn collect<'n>(node: &'n Node, found: &mut Vec<&'n Reference>) {
    match node {
        Node::Literal(_) => {}
        Node::Reference(reference) => found.push(reference),
        Node::Text(parts) => found.extend(parts.iter().filter_map(|part| match part {
            Text::Literal(_) => None,
            Text::Reference(reference) => Some(reference),
        })),
        Node::List(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Object(members) => found.extend(references(members)),
    }
}
