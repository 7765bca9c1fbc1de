import { uuidPattern } from './base-properties.ts';
import type { Schema } from './json-schema.ts';

const text = (description: string): Schema => ({ type: 'string', is_base: false, description });
const nullableUuid = (description: string): Schema => ({
  type: ['null', 'string'],
  is_base: false,
  pattern: uuidPattern,
  description,
});

/** What the original ships as its operator's property schema. */
export const stockProperties = {
  kernel_id: nullableUuid(
    'ID of image stored in Glance that should be used as the kernel when booting an AMI-style image.',
  ),
  ramdisk_id: nullableUuid(
    'ID of image stored in Glance that should be used as the ramdisk when booting an AMI-style image.',
  ),
  instance_uuid: text(
    'Metadata which can be used to record which instance this image is associated with. ' +
      '(Informational only, does not create an instance snapshot.)',
  ),
  architecture: text(
    'Operating system architecture as specified in https://docs.openstack.org/python-glanceclient/latest/cli/property-keys.html',
  ),
  os_distro: text(
    'Common name of operating system distribution as specified in https://docs.openstack.org/python-glanceclient/latest/cli/property-keys.html',
  ),
  os_version: text('Operating system version as specified by the distributor.'),
  description: text('A human-readable string describing this image.'),
  cinder_encryption_key_id: text(
    'Identifier in the OpenStack Key Management Service for the encryption key for the Block Storage Service ' +
      'to use when mounting a volume created from this image',
  ),
  cinder_encryption_key_deletion_policy: {
    ...text(
      'States the condition under which the Image Service will delete the object associated with the ' +
        "'cinder_encryption_key_id' image property.",
    ),
    enum: ['on_image_deletion', 'do_not_delete'],
  },
} as const satisfies Readonly<Record<string, Schema>>;
