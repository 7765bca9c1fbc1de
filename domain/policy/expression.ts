/**
 * The rule language of oslo.policy, as operators write it in `policy.yaml` ("Policy Rule Expressions",
 * "The policy.yaml file"). A file maps rule names to rules; a rule name is an API action or an alias for others.
 *
 *     rule       = ''                                  everybody, as '@'
 *                | or
 *                | [ 'check', [ 'check', ... ], ... ]  the old form: one list must pass whole; [] is everybody
 *     or         = and { 'or' and }
 *     and        = not { 'and' not }
 *     not        = 'not' not | '(' or ')' | check
 *     check      = '@'                                 everybody
 *                | '!'                                 nobody
 *                | 'rule:' name                        what another rule says
 *                | 'role:' value                       the caller has this role
 *                | subject ':' value                   both are the same
 *     subject    = constant | quoted | attribute of the caller | placeholders
 *     value      = constant | quoted | text with placeholders
 *     constant   = True | False | None | a number
 *     quoted     = "text" | 'text'                      the text itself
 *     placeholder = '%(' name ')s'                      an attribute of the target
 *
 * - `not` binds tighter than `and`, `and` tighter than `or`. These words and role names ignore case; all else minds it.
 * - White space separates checks. Within a check it belongs in quotes, as do parentheses: `name:'a (b)'`.
 * - A name may have dots to reach into nested values: `token.project.domain.id:default`. A list is the same as a
 *   value that it holds: `roles:member`, `service_roles:service`.
 * - What is missing is the same as nothing; null is the same only as a written `None`. So a caller without a project
 *   never owns an image without an owner.
 * - `is_admin:True` asks the rule `context_is_admin`.
 * - `http:` and `https:` checks ask another server. They are refused: a decision must not wait for the network.
 * - Bounds: 64 Ki characters a rule, 32 levels of parentheses and `not`, 32 rules that refer to one another in a row.
 *
 * Where oslo.policy itself ends in "nobody" with a line in the log (bad syntax, an undefined reference), this reader
 * refuses the file, for an operator would rather know.
 */
export type Expression =
  | { readonly kind: 'everybody' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'role'; readonly role: Operand }
  | { readonly kind: 'same'; readonly subject: Operand; readonly value: Operand }
  | { readonly kind: 'not'; readonly of: Expression }
  /** Of two or more. */
  | { readonly kind: 'and' | 'or'; readonly of: readonly Expression[] };

/** One side of a check. */
export type Operand =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'constant'; readonly value: boolean | null }
  /** An attribute of the caller. */
  | { readonly kind: 'caller'; readonly name: string }
  /** Never empty, at least one placeholder, no two texts in a row. */
  | { readonly kind: 'target'; readonly parts: readonly (string | Placeholder)[] };

/** An attribute of the target. */
export interface Placeholder {
  readonly name: string;
}

export const everybody: Expression = { kind: 'everybody' };
export const nobody: Expression = { kind: 'nobody' };

/** The rule behind `is_admin:True` (Glance's default policy, `context_is_admin`). */
export const adminRule = 'context_is_admin';

/** The names of the rules that this one asks. */
export function references(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case 'rule':
      return [expression.name];
    case 'not':
      return references(expression.of);
    case 'and':
    case 'or':
      return expression.of.flatMap(references);
    case 'same':
      return expression.subject.kind === 'caller' && expression.subject.name === 'is_admin'
        ? [adminRule]
        : [];
    case 'role':
    case 'everybody':
    case 'nobody':
      return [];
  }
}
