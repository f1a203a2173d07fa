//! ticketflow
fn main(){}
