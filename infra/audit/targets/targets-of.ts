import type { Config } from '../../config/config.ts';
import { posterOf } from '../../webhooks/poster-of.ts';
import { directoryTarget } from './directory.ts';
import { s3Target } from './s3.ts';
import type { CheckpointTarget } from './target.ts';
import { webhookTarget } from './webhook.ts';

/** The places that the operator named. */
export function checkpointTargets(config: Config): readonly CheckpointTarget[] {
  const directory = config['audit-publish-dir'];
  const webhook = config['audit-publish-webhook'];
  return [
    ...(directory === undefined ? [] : [directoryTarget(directory)]),
    ...bucketOf(config),
    ...(webhook === undefined ? [] : [webhookTarget(webhook, posterOf(config))]),
  ];
}

function bucketOf(config: Config): readonly CheckpointTarget[] {
  const url = config['audit-publish-s3'];
  if (url === undefined) return [];
  const {
    'audit-s3-access-key-id': accessKeyId = '',
    'audit-s3-secret-access-key': secretAccessKey = '',
  } = config;
  const [endpoint, region] = [config['audit-s3-endpoint'], config['audit-s3-region']];
  return [s3Target({ url, endpoint, region, accessKeyId, secretAccessKey })];
}
