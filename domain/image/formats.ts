/** What `disk_format` can be unless the operator says otherwise; `gpt` and `luks` can be added. */
export const diskFormats: readonly string[] = [
  'ami',
  'ari',
  'aki',
  'vhd',
  'vhdx',
  'vmdk',
  'raw',
  'qcow2',
  'vdi',
  'iso',
  'ploop',
];

/** The same for `container_format`. */
export const containerFormats: readonly string[] = [
  'ami',
  'ari',
  'aki',
  'bare',
  'ovf',
  'ova',
  'docker',
  'compressed',
];
