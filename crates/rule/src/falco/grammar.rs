//! The grammar of Falco conditions: text → tree, macros still by name.

use super::field::{Argument, FalcoField, NotAField};
use super::transform::Transformer;
use super::{extract, lex::Lexer};
use crate::condition::Order;
use crate::problem::{Fault, Place};

/// Most parentheses and negations that may stand inside one another.
const DEPTH_MAX: usize = 100;
/// Longest condition after lists are put in, in bytes.
const CONDITION_BYTES_MAX: usize = 1 << 20;

/// A condition with its macros still by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Macro(String),
    Check(Check),
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    pub(super) field: FalcoField,
    pub(super) operator: Operator,
    pub(super) operand: Operand,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    None,
    Text(String),
    List(Vec<String>),
    Field(FalcoField),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Exists,
    Order(Order),
    Text(TextOperator, Several),
    In,
    Intersects,
    PathMatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOperator {
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
    Equals,
}

/// How many of several operands must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Several {
    Any,
    All,
    One,
}

const OPERATORS: [(&str, Operator); 20] = [
    ("exists", Operator::Exists),
    ("==", Operator::Text(TextOperator::Equals, Several::Any)),
    ("=", Operator::Text(TextOperator::Equals, Several::Any)),
    ("!=", Operator::Order(Order::NotEqual)),
    ("<=", Operator::Order(Order::LessOrEqual)),
    ("<", Operator::Order(Order::Less)),
    (">=", Operator::Order(Order::GreaterOrEqual)),
    (">", Operator::Order(Order::Greater)),
    ("contains", Operator::Text(TextOperator::Contains, Several::Any)),
    ("icontains", Operator::Text(TextOperator::IContains, Several::Any)),
    ("bcontains", Operator::Text(TextOperator::BContains, Several::Any)),
    ("startswith", Operator::Text(TextOperator::StartsWith, Several::Any)),
    ("bstartswith", Operator::Text(TextOperator::BStartsWith, Several::Any)),
    ("endswith", Operator::Text(TextOperator::EndsWith, Several::Any)),
    ("glob", Operator::Text(TextOperator::Glob, Several::Any)),
    ("iglob", Operator::Text(TextOperator::IGlob, Several::Any)),
    ("regex", Operator::Text(TextOperator::Regex, Several::Any)),
    ("in", Operator::In),
    ("intersects", Operator::Intersects),
    ("pmatch", Operator::PathMatch),
];

/// Reads a condition whose lists are put in.
pub(super) fn parse(text: &str, place: Place) -> Result<Tree, Fault> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(Fault::error(place, format!("condition longer than the limit of {CONDITION_BYTES_MAX} bytes")));
    }
    let mut parser = Parser { lexer: Lexer::new(text), place, depth: 0 };
    let tree = parser.or()?;
    parser.lexer.skip_blanks();
    if parser.lexer.rest().is_empty() { Ok(tree) } else { Err(parser.expected("`and`, `or` or the end")) }
}

/// A function of fields that stands alone, as an imported rule names it; `None` if `text` is anything else.
pub(super) fn function(text: &str) -> Option<FalcoField> {
    let mut parser = Parser { lexer: Lexer::new(text), place: Place::default(), depth: 0 };
    let name = parser.lexer.function_name()?.to_owned();
    let transformer = Transformer::parse(&name)?;
    parser.lexer.takes(&name);
    let field = parser.function(transformer).ok()?;
    parser.lexer.rest().is_empty().then_some(field)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    place: Place,
    depth: usize,
}

impl Parser<'_> {
    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::error(self.place, what)
    }

    fn expected(&self, what: &str) -> Fault {
        const SHOWN: usize = 30;
        let near: String = self.lexer.rest().chars().take(SHOWN).collect();
        if near.is_empty() {
            return self.fault(format!("the condition ends where {what} is expected"));
        }
        self.fault(format!("expected {what} in the condition at `{near}`"))
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fault(format!("condition nested deeper than the limit of {DEPTH_MAX}")));
        }
        Ok(())
    }

    fn or(&mut self) -> Result<Tree, Fault> {
        let mut parts = vec![self.and()?];
        while self.lexer.takes_word("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::Any(parts) })
    }

    fn and(&mut self) -> Result<Tree, Fault> {
        let mut parts = vec![self.not()?];
        while self.lexer.takes_word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::All(parts) })
    }

    fn not(&mut self) -> Result<Tree, Fault> {
        let mut negated = false;
        while self.lexer.takes_word("not") {
            negated = !negated;
        }
        let inner = if self.lexer.takes("(") {
            self.deeper()?;
            let inner = self.or()?;
            self.depth -= 1;
            if !self.lexer.takes(")") {
                return Err(self.expected("`)`"));
            }
            inner
        } else {
            self.check()?
        };
        Ok(if negated { Tree::Not(Box::new(inner)) } else { inner })
    }

    fn check(&mut self) -> Result<Tree, Fault> {
        let Some(name) = self.lexer.identifier() else { return Err(self.expected("a field or a macro")) };
        let is_function = Transformer::parse(name).is_some() && self.lexer.next_is("(");
        if !is_function && !name.contains('.') {
            return Ok(Tree::Macro(name.to_owned()));
        }
        let field = self.field(name)?;
        let operator = self.operator()?;
        let operand = self.operand(operator)?;
        check_list(&field, operator).map_err(|what| self.fault(what))?;
        Ok(Tree::Check(Check { field, operator, operand }))
    }

    /// A field, or a function of fields, whose name was read.
    fn field(&mut self, name: &str) -> Result<FalcoField, Fault> {
        if let Some(transformer) = Transformer::parse(name).filter(|_| self.lexer.next_is("(")) {
            return self.function(transformer);
        }
        let argument = self.lexer.bracket().map_err(|what| self.fault(what))?;
        FalcoField::new(name, argument.as_deref()).map_err(|problem| match problem {
            NotAField::NeedsArgument => self.fault(format!("`{name}` needs something in brackets: `{name}[…]`")),
            NotAField::TakesNoArgument => self.fault(format!("`{name}` takes nothing in brackets")),
            NotAField::NoNumber => self.fault(format!("`{name}` takes the place of a value in brackets, a number")),
            NotAField::Unknown => {
                let fault = self.fault(format!("unknown field `{name}`"));
                let jevt = ["jevt.value", "jevt.obj", "jevt.rawtime", "evt.time"];
                fault.nearest(name, extract::TABLE.iter().map(extract::Ka::name).chain(jevt))
            }
        })
    }

    fn function(&mut self, transformer: Transformer) -> Result<FalcoField, Fault> {
        self.deeper()?;
        self.lexer.takes("(");
        let mut arguments = Vec::new();
        loop {
            arguments.push(self.argument()?);
            if !self.lexer.takes(",") {
                break;
            }
        }
        self.depth -= 1;
        if !self.lexer.takes(")") {
            return Err(self.expected("`)`"));
        }
        match arguments.as_slice() {
            [Argument::Field(field)] if transformer == Transformer::Value => Ok(field.clone()),
            [_] | [_, _, ..] => Ok(FalcoField::Transformed(transformer, arguments)),
            [] => Err(self.expected("an argument")),
        }
    }

    fn argument(&mut self) -> Result<Argument, Fault> {
        self.lexer.skip_blanks();
        if self.lexer.next_is("\"") || self.lexer.next_is("'") {
            let text = self.lexer.value().map_err(|what| self.fault(what))?;
            return Ok(Argument::Text(text.unwrap_or_default().into()));
        }
        if self.lexer.next_is("(") {
            return Ok(Argument::List(self.list()?.into_iter().map(Into::into).collect()));
        }
        match self.lexer.identifier() {
            Some(name) => self.field(name).map(Argument::Field),
            None => Err(self.expected("a field or a text in quotes")),
        }
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        let found = OPERATORS.iter().find(|(sign, _)| self.lexer.takes_operator(sign));
        let Some((_, operator)) = found else { return Err(self.expected("an operator")) };
        let Operator::Text(text, _) = operator else { return Ok(*operator) };
        for (word, several) in [("anyof", Several::Any), ("allof", Several::All), ("oneof", Several::One)] {
            if self.lexer.takes_operator(word) {
                if !self.lexer.next_is("(") {
                    return Err(self.expected("`(`"));
                }
                return Ok(Operator::Text(*text, several));
            }
        }
        Ok(*operator)
    }

    fn operand(&mut self, operator: Operator) -> Result<Operand, Fault> {
        let list_operator = matches!(operator, Operator::In | Operator::Intersects | Operator::PathMatch);
        if operator == Operator::Exists {
            return Ok(Operand::None);
        }
        if self.lexer.next_is("(") {
            return if list_operator || matches!(operator, Operator::Text(..)) {
                self.list().map(Operand::List)
            } else {
                Err(self.fault("this operator compares with one value, not with a list"))
            };
        }
        if let Some(name) = self.lexer.function_name()
            && Transformer::parse(name).is_some()
        {
            let name = name.to_owned();
            self.lexer.takes(&name);
            return self.field(&name).map(Operand::Field);
        }
        if list_operator {
            return Err(self.expected("a list in parentheses"));
        }
        match self.lexer.value().map_err(|what| self.fault(what))? {
            Some(text) => Ok(Operand::Text(text)),
            None => Err(self.expected("a value")),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Fault> {
        self.lexer.takes("(");
        let mut items = Vec::new();
        if self.lexer.takes(")") {
            return Ok(items);
        }
        loop {
            match self.lexer.value().map_err(|what| self.fault(what))? {
                Some(item) => items.push(item),
                None => return Err(self.expected("a value of the list")),
            }
            if self.lexer.takes(")") {
                return Ok(items);
            }
            if !self.lexer.takes(",") {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }
}

fn check_list(field: &FalcoField, operator: Operator) -> Result<(), String> {
    let allowed = matches!(operator, Operator::Exists | Operator::In | Operator::Intersects);
    if field.is_list() && !allowed {
        return Err(format!(
            "`{}` has several values: only `exists`, `in` and `intersects` can be asked of it",
            field.name()
        ));
    }
    Ok(())
}
