//! The values of constant expressions, as far as lists of constants use them.

use syn::{BinOp, Expr, Lit, UnOp};

/// The value of an integer expression: literals, `-`, `<<`, `|`, `u64::MAX` and its like, and a number wrapped in a
/// one-field struct. `None` for anything else.
pub fn value_of(expression: &Expr) -> Option<i128> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => Some(-value_of(&unary.expr)?),
        Expr::Binary(binary) => {
            let (left, right) = (value_of(&binary.left)?, value_of(&binary.right)?);
            match binary.op {
                BinOp::Shl(_) => left.checked_shl(right.try_into().ok()?),
                BinOp::BitOr(_) => Some(left | right),
                _ => None,
            }
        }
        Expr::Paren(inner) => value_of(&inner.expr),
        Expr::Group(inner) => value_of(&inner.expr),
        Expr::Call(call) if call.args.len() == 1 => value_of(&call.args[0]),
        Expr::Path(path) => {
            let segments: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["u64" | "usize", "MAX"] => Some(u64::MAX.into()),
                ["u32", "MAX"] => Some(u32::MAX.into()),
                ["i32", "MAX"] => Some(i32::MAX.into()),
                ["i64", "MAX"] => Some(i64::MAX.into()),
                _ => None,
            }
        }
        _ => None,
    }
}
