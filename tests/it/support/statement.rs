//! Reads a statement as Citus would: is every distributed table in it held to a bucket?
#![expect(clippy::wildcard_enum_match_arm, reason = "the parser knows far more of SQL than is used here")]

use sqlparser::{
    ast::{
        BinaryOperator, Delete, Expr, FromTable, Insert, JoinConstraint, JoinOperator, Query, SetExpr,
        Statement, TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind, Value, Visit,
        Visitor,
    },
    dialect::PostgreSqlDialect,
    parser::Parser,
};
use std::{collections::BTreeSet, fmt::Display, ops::ControlFlow};

/// What reads the clock.
const CLOCK: &str = "engine_now()";
/// What stands for every constant and parameter.
const GIVEN: usize = 0;

/// A relation somewhere in the statement.
struct Relation {
    /// What its columns are qualified with.
    alias: String,
    /// Its name, if its rows lie with their bucket.
    distributed: Option<String>,
}

/// A statement, read.
pub(crate) struct Reading<'a> {
    tables: &'a [&'a str],
    /// The first stands for what is given.
    relations: Vec<Relation>,
    /// Relations that have the same bucket.
    equal: Vec<(usize, usize)>,
    /// The relations in reach of each block of the statement, the innermost last.
    scopes: Vec<Vec<usize>>,
    writes: bool,
    faults: BTreeSet<String>,
}

/// The faults of `sql`: distributed tables that no bucket is named for, and places in which Citus takes no clock. Where it
/// locks or writes, the bucket has to be a parameter or a constant; a read may also get it by a join from a relation
/// that is not distributed.
pub(crate) fn faults(sql: &str, tables: &[&str]) -> BTreeSet<String> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &without_rows_from(sql));
    let statements = parsed.unwrap_or_else(|error| panic!("{error} in {sql}"));
    let mut reading = Reading::of(tables);
    let _: ControlFlow<()> = statements.visit(&mut reading);
    reading.judge()
}

/// The parser does not know `ROWS FROM (…) WITH ORDINALITY`, which names no table: some function takes its place.
fn without_rows_from(sql: &str) -> String {
    match (sql.split_once("ROWS FROM ("), sql.split_once(") WITH ORDINALITY")) {
        (Some((before, _)), Some((_, after))) => format!("{before}unnest($1) WITH ORDINALITY{after}"),
        _ => sql.to_owned(),
    }
}

impl<'a> Reading<'a> {
    fn of(tables: &'a [&'a str]) -> Self {
        let given = Relation { alias: String::new(), distributed: None };
        Self {
            tables,
            relations: vec![given],
            equal: Vec::new(),
            scopes: Vec::new(),
            writes: false,
            faults: BTreeSet::new(),
        }
    }

    fn judge(mut self) -> BTreeSet<String> {
        for (number, relation) in self.relations.iter().enumerate() {
            let Some(table) = &relation.distributed else { continue };
            let reached = self.reached_from(number);
            let by_join =
                !self.writes && reached.iter().any(|other| self.relations[*other].distributed.is_none());
            if !reached.contains(&GIVEN) && !by_join {
                self.faults.insert(table.clone());
            }
        }
        self.faults
    }

    fn reached_from(&self, start: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([start]);
        loop {
            let before = reached.len();
            for &(one, other) in &self.equal {
                if reached.contains(&one) || reached.contains(&other) {
                    reached.extend([one, other]);
                }
            }
            if reached.len() == before {
                return reached;
            }
        }
    }

    /// Takes in the relations of one block, and what it says about their buckets.
    fn block<'b>(&mut self, from: impl IntoIterator<Item = &'b TableWithJoins>, selection: Option<&Expr>) {
        let mut conditions: Vec<&Expr> = selection.into_iter().collect();
        for item in from {
            self.relation(&item.relation);
            for join in &item.joins {
                self.relation(&join.relation);
                conditions.extend(condition(&join.join_operator));
            }
        }
        conditions.into_iter().for_each(|condition| self.conjunct(condition));
    }

    fn relation(&mut self, factor: &TableFactor) {
        let (name, alias) = match factor {
            TableFactor::Table { name, alias, args, .. } => (args.is_none().then(|| name.to_string()), alias),
            TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => (None, alias),
            other => panic!("not known here: {other}"),
        };
        let distributed = name.clone().filter(|name| self.tables.contains(&name.as_str()));
        let alias = alias.as_ref().map(|alias| alias.name.value.clone()).or(name).unwrap_or_default();
        self.scopes.last_mut().unwrap().push(self.relations.len());
        self.relations.push(Relation { alias, distributed });
    }

    /// Only what holds for every row counts, so nothing below an OR does.
    fn conjunct(&mut self, expression: &Expr) {
        match expression {
            Expr::Nested(inner) => self.conjunct(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.conjunct(left);
                self.conjunct(right);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                if let (Some(left), Some(right)) = (self.bucket(left), self.bucket(right)) {
                    self.equal.push((left, right));
                }
            }
            _ => {}
        }
    }

    /// Whose bucket an expression is.
    fn bucket(&self, expression: &Expr) -> Option<usize> {
        match expression {
            Expr::Value(value) => {
                matches!(value.value, Value::Placeholder(_) | Value::Number(..)).then_some(GIVEN)
            }
            Expr::Cast { expr, .. } => self.bucket(expr),
            Expr::Identifier(column) if column.value == "bucket" => {
                let innermost = self.scopes.last()?;
                innermost.iter().copied().find(|relation| self.relations[*relation].distributed.is_some())
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [alias, column] if column.value == "bucket" => {
                    let mut in_reach = self.scopes.iter().rev().flatten().copied();
                    in_reach.find(|relation| self.relations[*relation].alias == alias.value)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn selects(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.block(&select.from, select.selection.as_ref()),
            SetExpr::SetOperation { left, right, .. } => {
                self.selects(left);
                self.selects(right);
            }
            _ => {}
        }
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else { panic!("not known here: {insert}") };
        let name = name.to_string();
        let has_bucket = insert.columns.iter().any(|column| column.to_string() == "bucket");
        if self.tables.contains(&name.as_str()) && !has_bucket {
            self.faults.insert(name);
        }
        self.timeless("ON CONFLICT", insert.on.as_ref());
        self.timeless("RETURNING", insert.returning.iter().flatten());
    }

    /// Citus evaluates the clock before it sends a statement to a node, which it cannot do just anywhere.
    fn timeless<'b, T: Display + 'b>(&mut self, place: &str, parts: impl IntoIterator<Item = &'b T>) {
        if parts.into_iter().any(|part| part.to_string().contains(CLOCK)) {
            self.faults.insert(format!("the clock in {place}"));
        }
    }

    fn update(&mut self, update: &Update) {
        let from = match &update.from {
            Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => &from[..],
            None => &[],
        };
        self.block(std::iter::once(&update.table).chain(from), update.selection.as_ref());
        self.timeless("RETURNING", update.returning.iter().flatten());
        let conditional = update.assignments.iter().map(|assignment| &assignment.value).filter(|value| {
            matches!(value, Expr::Case { .. }) || value.to_string().to_lowercase().starts_with("coalesce")
        });
        self.timeless("CASE or COALESCE", conditional);
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        self.block(from.iter().chain(delete.using.iter().flatten()), delete.selection.as_ref());
    }
}

impl Visitor for Reading<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.scopes.push(Vec::new());
        self.writes |= !matches!(statement, Statement::Query(_));
        match statement {
            Statement::Query(_) => {}
            Statement::Insert(insert) => self.insert(insert),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Update(update) => self.update(update),
            other => panic!("not known here: {other}"),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scopes.push(Vec::new());
        self.writes |= !query.locks.is_empty();
        self.selects(&query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }
}

/// What an outer join does not say of the side it keeps, it says of the other: good enough to find a node.
fn condition(join: &JoinOperator) -> Option<&Expr> {
    match join {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))
        | JoinOperator::FullOuter(JoinConstraint::On(on)) => Some(on),
        _ => None,
    }
}
