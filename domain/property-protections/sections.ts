/** One `[title]` with its `key = value` lines; keys are lower case. */
export interface Section {
  readonly title: string;
  readonly values: ReadonlyMap<string, string>;
}

const header = /^\[(.+)\]/;
const option = /^([^=:]+?)\s*[=:]\s*(.*)$/;

/**
 * The sections of an INI file in their order, as Python's `configparser` reads it: comments are whole lines, an indented
 * line goes on with the value before it, `[DEFAULT]` gives every section what it lacks, and nothing is said twice.
 * What is wrong goes to `problems`, by line.
 */
export function sectionsOf(text: string, problems: string[]): readonly Section[] {
  const sections = new Map<string, Map<string, string>>();
  let values: Map<string, string> | undefined;
  let key: string | undefined;
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    const complain = (problem: string): void => void problems.push(`line ${index + 1}: ${problem}`);
    const content = line.trim();
    if (/^[#;]/.test(content)) continue;
    if (content === '') {
      key = undefined;
      continue;
    }
    if (/^\s/.test(line) && key !== undefined) {
      values?.set(key, `${values.get(key)}\n${content}`);
      continue;
    }
    const title = header.exec(content)?.[1];
    if (title !== undefined) {
      const again = sections.has(title) && title !== 'DEFAULT';
      if (again) complain(`[${title}] is there already`);
      values = again ? new Map() : (sections.get(title) ?? new Map());
      if (!again) sections.set(title, values);
      key = undefined;
      continue;
    }
    const [, name = '', value = ''] = option.exec(content) ?? [];
    key = name.toLowerCase();
    if (name === '') complain(`${JSON.stringify(content)} is neither a [section] nor key = value`);
    else if (values === undefined) complain(`${name} stands before the first [section]`);
    else if (values.has(key)) complain(`${name} is there already`);
    else values.set(key, value);
  }
  const defaults = sections.get('DEFAULT') ?? [];
  return [...sections]
    .filter(([title]) => title !== 'DEFAULT')
    .map(([title, own]) => ({ title, values: new Map([...defaults, ...own]) }));
}
