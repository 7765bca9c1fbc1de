type Node = { readonly [key: string]: unknown };

const rootFields = [
  'asyncapi',
  'id',
  'info',
  'servers',
  'defaultContentType',
  'channels',
  'operations',
  'components',
];
const described = ['title', 'summary', 'description', 'tags', 'externalDocs', 'bindings'];
const channelFields = ['address', 'messages', 'servers', 'parameters', ...described];
const parameterFields = ['enum', 'default', 'description', 'examples', 'location'];
const messageFields = [
  'headers',
  'payload',
  'correlationId',
  'contentType',
  'name',
  'examples',
  'traits',
  ...described,
];
const operationFields = [
  'action',
  'channel',
  'security',
  'traits',
  'messages',
  'reply',
  ...described,
];
const componentFields = [
  'schemas',
  'servers',
  'channels',
  'operations',
  'messages',
  'securitySchemes',
  'serverVariables',
  'parameters',
  'correlationIds',
  'replies',
  'replyAddresses',
  'externalDocs',
  'tags',
  'operationTraits',
  'messageTraits',
  'serverBindings',
  'channelBindings',
  'operationBindings',
  'messageBindings',
];

const node = (value: unknown): Node =>
  typeof value === 'object' && value !== null ? (value as Node) : {};

/** What a document breaks of the AsyncAPI specification 3.0.0, as far as its objects are used here. */
export function brokenRules(document: unknown): readonly string[] {
  const problems: string[] = [];
  const require = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const only = (at: string, value: unknown, fields: readonly string[]): void => {
    for (const field of Object.keys(node(value)))
      require(fields.includes(field) || field.startsWith('x-'), `${at} has a field ${field}`);
  };
  const root = node(document);
  const resolved = (reference: string): unknown =>
    reference
      .replace(/^#\//, '')
      .split('/')
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((at, token) => node(at)[token], root);
  const refOf = (value: unknown): string => String(node(value).$ref);

  only('the document', root, rootFields);
  require(root.asyncapi === '3.0.0', 'asyncapi is not 3.0.0');
  for (const field of ['title', 'version'])
    require(typeof node(root.info)[field] === 'string', `info has no ${field}`);

  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (!Array.isArray(value) && '$ref' in value) {
      require(resolved(refOf(value)) !== undefined, `${refOf(value)} leads nowhere`);
      require(Object.keys(value).length === 1, `${refOf(value)} has siblings`);
    }
    for (const part of Object.values(value)) walk(part);
  };
  walk(root);

  const messageAt = (at: string, value: unknown): void => {
    const message = node('$ref' in node(value) ? resolved(refOf(value)) : value);
    only(at, message, messageFields);
    require(message.payload !== undefined, `${at} has no payload`);
    const headers = node(message.headers);
    const schema = '$ref' in headers ? node(resolved(refOf(headers))) : headers;
    require(message.headers === undefined || schema.type === 'object', `${at}: headers`);
  };

  const addresses = new Set<unknown>();
  for (const [name, given] of Object.entries(node(root.channels))) {
    const channel = node(given);
    only(`channel ${name}`, channel, channelFields);
    const { address } = channel;
    require(typeof address === 'string' || address === null, `channel ${name} has no address`);
    require(address === null || !addresses.has(address), `channel ${name}: address is taken`);
    addresses.add(address);
    require(!/[?#]/.test(String(address)), `channel ${name}: query or fragment in its address`);
    const named = [...String(address ?? '').matchAll(/\{([^}]+)\}/g)].map(([, one]) => one);
    const parameters = Object.keys(node(channel.parameters));
    require(named.toSorted().join() ===
      parameters
        .toSorted()
        .join(), `channel ${name}: parameters ${parameters.join()} for ${named.join()}`);
    for (const parameter of Object.values(node(channel.parameters)))
      only(`a parameter of ${name}`, parameter, parameterFields);
    for (const [key, message] of Object.entries(node(channel.messages)))
      messageAt(`message ${key} of ${name}`, message);
  }

  for (const [name, given] of Object.entries(node(root.operations))) {
    const operation = node(given);
    only(`operation ${name}`, operation, operationFields);
    require(['send', 'receive'].includes(String(operation.action)), `operation ${name}: action`);
    const channel = refOf(operation.channel);
    require(/^#\/channels\/[^/]+$/.test(channel), `operation ${name}: channel`);
    const messages = (operation.messages as readonly unknown[] | undefined) ?? [];
    require(new Set(messages.map(refOf)).size === messages.length, `operation ${name}: repeats`);
    for (const message of messages)
      require(refOf(message).startsWith(
        `${channel}/messages/`,
      ), `operation ${name}: ${refOf(message)} is not of its channel`);
  }

  only('components', root.components, componentFields);
  for (const part of Object.values(node(root.components)))
    for (const key of Object.keys(node(part)))
      require(/^[\w.-]+$/.test(key), `components: ${key} is no name`);
  return problems;
}
