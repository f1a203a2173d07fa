//! How a step's input is put together from the run's input and earlier outputs. The types are checked by the
//! compiler, the order by [`crate::workflow::Builder::build`]; nothing is left to fail in the middle of a run but a
//! stored value that an older version of the code wrote.

use crate::{history::History, id::StepName, step::Step};
use serde::de::DeserializeOwned;
use std::{any::TypeId, marker::PhantomData};

/// Something a wire reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The run's input, as this type.
    Input(TypeId, &'static str),
    /// The output of a step that must come before.
    Output(StepName),
    /// The output of a step if it ran already.
    Maybe(StepName),
}

/// A stored value that does not fit the type it is read as.
#[derive(Debug, thiserror::Error)]
#[error("the stored {what} does not fit")]
pub struct WireError {
    what: String,
    source: Option<serde_json::Error>,
}

/// Puts together a `T`.
pub trait Wire<T>: Send + Sync + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// If a stored value does not fit.
    fn fetch(&self, history: &History) -> Result<T, WireError>;

    /// What it reads.
    fn needs(&self) -> Vec<Need>;
}

/// Wire for the run's input.
pub struct Input<T>(PhantomData<fn() -> T>);

/// The run's input.
pub const fn input<T>() -> Input<T> {
    Input(PhantomData)
}

impl<T: DeserializeOwned + 'static> Wire<T> for Input<T> {
    fn fetch(&self, history: &History) -> Result<T, WireError> {
        read(history.input().get(), "input")
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Input(TypeId::of::<T>(), std::any::type_name::<T>())]
    }
}

/// Wire for the output of a step that comes before.
pub struct Output<S>(PhantomData<fn() -> S>);

/// The latest output of `S`, which must come before.
pub const fn output<S: Step>() -> Output<S> {
    Output(PhantomData)
}

impl<S: Step> Wire<S::Output> for Output<S> {
    fn fetch(&self, history: &History) -> Result<S::Output, WireError> {
        let stored = history.output(S::NAME);
        let stored =
            stored.ok_or_else(|| WireError { what: format!("output of {}", S::NAME), source: None })?;
        read(stored.get(), S::NAME)
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Output(StepName::new(S::NAME))]
    }
}

/// Wire for the output of a step that may not have run.
pub struct Maybe<S>(PhantomData<fn() -> S>);

/// The latest output of `S`, if it ran.
pub const fn maybe<S: Step>() -> Maybe<S> {
    Maybe(PhantomData)
}

impl<S: Step> Wire<Option<S::Output>> for Maybe<S> {
    fn fetch(&self, history: &History) -> Result<Option<S::Output>, WireError> {
        history.output(S::NAME).map(|stored| read(stored.get(), S::NAME)).transpose()
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Maybe(StepName::new(S::NAME))]
    }
}

/// Wire for a step that needs nothing.
impl Wire<()> for () {
    fn fetch(&self, _: &History) -> Result<(), WireError> {
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

macro_rules! wire_tuple {
    ($($wire:ident $value:ident $index:tt),+) => {
        impl<$($wire, $value),+> Wire<($($value,)+)> for ($($wire,)+)
        where $($wire: Wire<$value>),+
        {
            fn fetch(&self, history: &History) -> Result<($($value,)+), WireError> {
                Ok(($(self.$index.fetch(history)?,)+))
            }

            fn needs(&self) -> Vec<Need> {
                [$(self.$index.needs()),+].concat()
            }
        }
    };
}
wire_tuple!(A TA 0, B TB 1);
wire_tuple!(A TA 0, B TB 1, C TC 2);
wire_tuple!(A TA 0, B TB 1, C TC 2, D TD 3);
wire_tuple!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4);
wire_tuple!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5);
wire_tuple!(A TA 0, B TB 1, C TC 2, D TD 3, E TE 4, F TF 5, G TG 6);

fn read<T: DeserializeOwned>(json: &str, what: &str) -> Result<T, WireError> {
    serde_json::from_str(json).map_err(|source| WireError { what: what.to_owned(), source: Some(source) })
}
