"""Files that are damaged or mean harm: each is small, and each must be refused.

The first ones were found by hand, those that end in a number by fuzzing.
"""

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Write(Call):
    """Pickles as a function whose attributes are written."""

    def __reduce__(self):
        return (*self.call, dict(allocated='changed'))


def text(value):
    """A short text in a pickle."""
    return b'\x8c' + bytes([len(value)]) + value


def named(module, name):
    """A name in a pickle."""
    return b'c' + module + b'\n' + name + b'\n'


def shared_lists(depth, wide=2):
    """A list of a list twice, of a list twice, ...: 2 ** depth parts."""
    out = b'\x80\x04(]\x94'
    for level in range(depth):
        out += b'](' + (b'h' + bytes([level])) * wide + b'e\x94'
    return out + b'l.'


DTYPE = named(b'numpy', b'dtype') + text(b'f4') + b'\x89\x88\x87R'
LITTLE = b'(K\x03' + text(b'<') + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
BLANK = (
    named(b'numpy._core.multiarray', b'_reconstruct')
    + named(b'numpy', b'ndarray')
    + b'K\x00\x85C\x01b\x87R'
)


def array(shape, data, dtype=DTYPE + LITTLE):
    """An array of any shape, dtype and data."""
    return b'\x80\x04' + BLANK + b'(K\x01' + shape + dtype + b'\x89' + data + b'tb.'


def dtype_of(kind, state=LITTLE):
    return named(b'numpy', b'dtype') + text(kind) + b'\x89\x88\x87R' + state


ONE = b'K\x01\x85'
REBUILD = named(b'torch._utils', b'_rebuild_tensor_v2')


def storage():
    """Four numbers, as a pickle of a tensor holds them."""
    buffer = io.BytesIO()
    torch.save(
        torch.zeros(4).storage()._untyped_storage, buffer, _use_new_zipfile_serialization=False
    )
    data = buffer.getvalue()
    return (
        named(b'torch.storage', b'_load_from_bytes')
        + b'B'
        + struct.pack('<I', len(data))
        + data
        + b'\x85R'
    )


def tensor(size, stride, offset=b'K\x00', held=None):
    """A tensor of any size on a storage of four numbers."""
    return (
        b'\x80\x04'
        + REBUILD
        + b'('
        + (storage() if held is None else held)
        + offset
        + size
        + stride
        + b'\x89'
        + named(b'collections', b'OrderedDict')
        + b')RtR.'
    )


MIB = b'B' + struct.pack('<I', 2**20) + bytes(2**20)
TEXT_MIB = b'X' + struct.pack('<I', 2**20) + b'a' * 2**20
A_MIB_OF_NUMBERS = b'J' + struct.pack('<i', 2**18) + b'\x85'


def storage_data(numbers):
    buffer = io.BytesIO()
    torch.save(
        torch.zeros(numbers).storage()._untyped_storage,
        buffer,
        _use_new_zipfile_serialization=False,
    )
    data = buffer.getvalue()
    return b'B' + struct.pack('<I', len(data)) + data


def again(first, second, each, count=20_000):
    """Two values, named 0 and 1, and many that are made of them."""
    return b'\x80\x04(' + first + b'q\x00' + second + b'q\x01' + each * count + b'l.'


GOOD = pickle.dumps(dict(a=np.arange(6.0).reshape(2, 3), b=['x', 1, 2.5]))

# Name: (bytes, a part of the error).
PICKLES = {
    'empty': (b'', 'is empty'),
    'text': (b'no pickle at all', 'damaged'),
    'zeros': (bytes(1000), 'which is not data'),
    'cut_off': (GOOD[:-3], 'cut off'),
    'cut_in_an_array': (GOOD[: GOOD.index(b'b\x94') - 20], 'cut off'),
    'no_stop': (b'\x80\x04]', 'cut off'),
    'stop_alone': (b'.', 'instructions are inconsistent'),
    'two_values': (b'\x80\x04NN.', 'instructions are inconsistent'),
    'open_mark': (b'\x80\x04(N.', 'instructions are inconsistent'),
    'mark_without': (b'\x80\x04Nt.', 'instructions are inconsistent'),
    'append_to_nothing': (b'\x80\x04Na.', 'instructions are inconsistent'),
    'append_to_none': (b'\x80\x04NNa.', 'appends to'),
    'entries_of_a_list': (b'\x80\x04]NNs.', 'sets entries'),
    'odd_entries': (b'\x80\x04}(Nu.', 'sets entries'),
    'tuple_of_too_few': (b'\x80\x04N\x87.', 'instructions are inconsistent'),
    # Code.
    'system': (pickle.dumps(Call(os.system, 'touch attacked')), 'calls posix.system'),
    'eval': (pickle.dumps(Call(eval, '1')), 'calls builtins.eval'),
    'getattr': (pickle.dumps(Call(getattr, dict, 'get')), 'it calls '),
    'getattr_of_history': (
        pickle.dumps(Call(getattr, HistoryBuffer, '__init__')),
        'trust',
    ),
    'instance': (b'(ios\nsystem\n.', 'which is not data'),
    'object': (b'(' + named(b'os', b'system') + b'o.', 'calls os.system'),
    'extension': (b'\x80\x02\x82\x01.', 'which is not data'),
    'persistent_text': (b'P7\n.', 'which is not data'),
    'persistent': (b'\x80\x04K\x07Q.', 'outside the pickle'),
    'new_with_names': (b'\x80\x04N)}\x92.', 'which is not data'),
    'next_buffer': (b'\x80\x05\x97.', 'which is not data'),
    'new_dtype': (b'\x80\x04' + named(b'numpy', b'dtype') + b')\x81.', 'calls a'),
    'call_of_text': (b'\x80\x04' + text(b'x') + b')R.', 'calls a str'),
    'call_without_a_tuple': (b'\x80\x04' + named(b'numpy', b'dtype') + b'NR.', 'calls a'),
    'codec': (
        b'\x80\x04' + named(b'_codecs', b'encode') + text(b'x') + text(b'bz2') + b'\x86R.',
        'in the encoding',
    ),
    'slow_codec': (
        b'\x80\x04' + named(b'_codecs', b'encode') + text(b'x') + text(b'punycode') + b'\x86R.',
        'in the encoding',
    ),
    'a_name_as_value': (b'\x80\x04' + named(b'numpy', b'dtype') + b'.', 'in place of a value'),
    'a_name_in_a_list': (
        b'\x80\x04]' + named(b'numpy', b'dtype') + b'a.',
        'in place of a value',
    ),
    # Writing where nothing may be written.
    'state_of_a_function': (
        b'\x80\x04' + REBUILD + b'}' + text(b'x') + b'K\x01sb.',
        'writes into',
    ),
    'state_of_a_dict': (b'\x80\x04}}b.', 'writes into a dict'),
    'state_of_an_ordered_dict': (
        b'\x80\x04' + named(b'collections', b'OrderedDict') + b')R}' + text(b'items') + b'Nsb.',
        'writes into',
    ),
    'state_of_a_call': (pickle.dumps(Write(torch.Size, (1,))), 'writes into'),
    # Memory and time.
    'deep_tuple': (b'\x80\x04)' + b'\x85' * 3_000_000 + b'.', 'too deeply'),
    'deep_tuple_as_key': (b'\x80\x04})' + b'\x85' * 20 + b'Ns.', 'a tuple as a key'),
    'deep_lists': (b'\x80\x04' + b'(' * 100_000 + b'l' * 100_000 + b'.', 'too deeply'),
    'shared_lists': (shared_lists(60), 'too deeply'),
    'shared_lists_wide': (shared_lists(8, 120), 'too deeply'),
    'a_list_in_itself': (b'\x80\x04]\x94h\x00a.', 'contains itself'),
    'a_dict_in_itself': (b'\x80\x04}\x94Nh\x00s.', 'contains itself'),
    'containers': (b'\x80\x04(' + b'}' * 1_000_000 + b'l.', 'more memory'),
    'sets': (b'\x80\x04(' + b'\x8f' * 300_000 + b'l.', 'more memory'),
    'calls': (
        b'\x80\x04('
        + named(b'collections', b'OrderedDict')
        + b'\x94'
        + b'h\x00)R' * 500_000
        + b'l.',
        'more memory',
    ),
    # The same bytes, text or list made into something again and again.
    'many_arrays_of_the_same_bytes': (
        again(
            MIB,
            DTYPE + LITTLE,
            BLANK + b'(K\x01' + A_MIB_OF_NUMBERS + b'h\x01\x89h\x00tb',
        ),
        'more memory',
    ),
    'many_bytearrays_of_the_same_bytes': (
        again(MIB, named(b'builtins', b'bytearray'), b'h\x01h\x00\x85R'),
        'more memory',
    ),
    'many_bytes_of_the_same_text': (
        again(TEXT_MIB, named(b'_codecs', b'encode'), b'h\x01h\x00' + text(b'latin1') + b'\x86R'),
        'more memory',
    ),
    'many_copies_of_a_list': (
        again(
            b'](' + b'K\x01' * 100_000 + b'e',
            named(b'collections', b'deque'),
            b'h\x01h\x00\x85R',
        ),
        'more memory',
    ),
    'many_copies_of_a_set': (
        again(
            b'](' + b''.join(b'M' + struct.pack('<H', i) for i in range(60_000)) + b'e',
            named(b'builtins', b'set'),
            b'h\x01h\x00\x85R',
        ),
        'more memory',
    ),
    'many_storages_of_the_same_bytes': (
        again(
            storage_data(2**18), named(b'torch.storage', b'_load_from_bytes'), b'h\x01h\x00\x85R'
        ),
        'more memory',
    ),
    'many_histories_of_the_same_numbers': (
        again(
            BLANK + b'(K\x01' + A_MIB_OF_NUMBERS + DTYPE + LITTLE + b'\x89' + MIB + b'tb',
            b'}'
            + text(b'_log_history')
            + b'h\x00s'
            + text(b'_count_history')
            + b'h\x00s'
            + text(b'max_length')
            + b'J\x00\x00\x10\x00s',
            named(b'mmengine.logging.history_buffer', b'HistoryBuffer') + b')\x81h\x01b',
        ),
        'more memory',
    ),
    'memo': (b'\x80\x04N' + b'\x94' * 3_000_000 + b'.', 'more memory'),
    'no_memo': (b'\x80\x04j\xff\xff\xff\xff.', 'refers to value 4294967295'),
    'long_text': (b'\x80\x04X\xff\xff\xff\xff.', 'cut off'),
    'long_bytes': (b'\x80\x04B\xff\xff\xff\xff.', 'cut off'),
    'longest_text': (b'\x80\x04\x8d' + b'\xff' * 8 + b'.', 'cut off'),
    'longest_bytes': (b'\x80\x04\x8e' + b'\xff' * 7 + b'\x7f.', 'cut off'),
    'long_bytearray': (b'\x80\x05\x96' + b'\xff' * 4 + bytes(4) + b'.', 'cut off'),
    'bytearray_of_a_length': (
        b'\x80\x04' + named(b'builtins', b'bytearray') + b'J\xff\xff\xff\x7f\x85R.',
        'bytes made of a int',
    ),
    'bytes_of_a_length': (
        b'\x80\x04' + named(b'builtins', b'bytes') + b'J\xff\xff\xff\x7f\x85R.',
        'cannot be made',
    ),
    'long_number': (b'\x80\x04\x8a\xff' + b'\x01' * 255 + b'.', 'integer of 255 bytes'),
    'longer_number': (b'\x80\x04\x8b\xff\xff\x00\x00.', 'which is not data'),
    'digits': (b'L' + b'9' * 100_000 + b'L\n.', 'digits'),
    'no_digits': (b'Ix\n.', 'not a number'),
    'no_line': (b'I' + b'1' * 100_000, 'cut off'),
    'bad_text': (b'\x80\x04\x8c\x02\xff\xff.', 'text that is not valid'),
    'bad_escape': (b"S'\\x'\n.", 'text that is not valid'),
    'no_quotation': (b'Sx\n.', 'quotation marks'),
    'a_wide_key': (b'\x80\x04}\x8a\x0a' + b'\x01' * 10 + b'Ns.', 'a key of'),
    'a_list_as_key': (b'\x80\x04}]Ns.', 'a list as a key'),
    'a_list_in_a_set': (b'\x80\x04\x8f(]\x90.', 'a list as a key'),
    # Arrays.
    'array_without_bytes': (array(b'J\xff\xff\xff\x7f\x85', b'C\x00'), 'has an array of shape'),
    'array_with_few_bytes': (array(b'K\x09\x85', b'C\x04\x00\x00\x00\x00'), 'with 4 bytes, not 36'),
    'array_with_many_bytes': (array(ONE, b'C\x08' + bytes(8)), 'with 8 bytes, not 4'),
    'array_of_a_negative_shape': (
        array(b'J\xff\xff\xff\xff\x85', b'C\x00'),
        'has an array of shape',
    ),
    'array_of_a_list_as_shape': (array(b']', b'C\x00'), 'has an array of shape'),
    'array_of_33_axes': (array(b'(' + b'K\x01' * 33 + b't', b'C\x04' + bytes(4)), 'of shape'),
    'empty_and_endless': (
        array(b'K\x00\x8a\x06\xff\xff\xff\xff\xff\x00\x86', b'C\x00'),
        'has an array of shape',
    ),
    'array_of_a_number': (array(ONE, b'K\x04'), 'whose data is a int'),
    'array_without_a_dtype': (array(ONE, b'C\x04' + bytes(4), b'N'), 'without a kind'),
    'array_of_an_unfinished_dtype': (array(ONE, b'C\x04' + bytes(4), DTYPE), 'without a kind'),
    'array_of_objects': (
        pickle.dumps(np.array([None, 'x'], dtype=object)),
        'not of numbers or text',
    ),
    'array_of_records': (pickle.dumps(np.zeros(2, 'f4,i4')), 'not of numbers or text'),
    'array_of_dates': (pickle.dumps(np.zeros(2, 'M8[s]')), 'not of numbers or text'),
    'dtype_of_long_text': (array(ONE, b'C\x00', dtype_of(b'U999999999')), 'not of numbers or text'),
    'dtype_of_a_list': (
        array(ONE, b'C\x00', named(b'numpy', b'dtype') + b']\x89\x88\x87R' + LITTLE),
        'not of numbers or text',
    ),
    'dtype_of_no_order': (
        array(ONE, b'C\x04' + bytes(4), DTYPE + LITTLE.replace(b'<', b'x')),
        'byte order',
    ),
    'dtype_with_fields': (
        array(ONE, b'C\x04' + bytes(4), DTYPE + LITTLE.replace(b'NNN', b'NK\x01N')),
        'records',
    ),
    'dtype_with_a_short_state': (array(ONE, b'C\x04' + bytes(4), DTYPE + b'K\x01\x85b'), 'records'),
    'text_beyond_unicode': (
        array(ONE, b'C\x04\xff\xff\xff\xff', dtype_of(b'U1')),
        'text that is not valid',
    ),
    'array_twice_described': (array(ONE, b'C\x04' + bytes(4))[:-1] + b'}b.', 'writes into'),
    'array_never_described': (b'\x80\x04' + BLANK + b'.', 'in place of a value'),
    # Tensors in pickles.
    'tensor_of_a_large_size': (tensor(b'J\xff\xff\xff\x7f\x85', ONE), 'tensor of size'),
    'tensor_repeated': (tensor(b'J\xff\xff\xff\x7f\x85', b'K\x00\x85'), 'tensor of size'),
    'tensor_beyond': (tensor(ONE, ONE, b'K\x40'), 'tensor of size'),
    'tensor_with_a_long_step': (tensor(b'K\x02\x85', b'K\x40\x85'), 'tensor of size'),
    'tensor_of_a_negative_step': (tensor(b'K\x02\x85', b'J\xff\xff\xff\xff\x85'), 'tensor of size'),
    'tensor_of_a_negative_place': (tensor(ONE, ONE, b'J\xff\xff\xff\xff'), 'tensor of size'),
    'tensor_of_other_axes': (tensor(ONE, b')'), 'tensor of size'),
    'tensor_of_text': (tensor(text(b'a'), ONE), 'tensor of size'),
    'tensor_without_a_storage': (tensor(ONE, ONE, held=b'N'), 'without data'),
    'storage_of_no_bytes': (
        b'\x80\x04' + named(b'torch.storage', b'_load_from_bytes') + b'N\x85R.',
        'without data',
    ),
    'storage_of_garbage': (
        b'\x80\x04' + named(b'torch.storage', b'_load_from_bytes') + b'C\x02..\x85R.',
        'instructions are inconsistent',
    ),
    'device': (
        b'\x80\x04' + named(b'torch', b'device') + text(b'fpga') + b'\x85R.',
        'names the device',
    ),
}


def saved(value, **kwargs):
    buffer = io.BytesIO()
    torch.save(value, buffer, **kwargs)
    return buffer.getvalue()


def repacked(data, change=None, compression=zipfile.ZIP_STORED):
    """A checkpoint with other parts, by the end of their names."""
    change, out = change or {}, io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, 'w', compression) as new:
        for name in old.namelist():
            part = change.get(name.partition('/')[2], lambda part: part)(old.read(name))
            if part is not None:
                new.writestr(name, part)
    return out.getvalue()


def flipped(data, at):
    data = bytearray(data)
    data[at] ^= 0xFF
    return bytes(data)


def checkpoint():
    """A small one, with all that MMEngine keeps."""
    weights = dict(weight=torch.arange(64.0).reshape(8, 8), bias=torch.zeros(8))
    hub = dict(log_scalars=dict(loss=HistoryBuffer([1.0, 2.0], [1, 1])))
    return dict(
        meta=dict(epoch=1, iter=2, config='x = 1'),
        state_dict=weights,
        message_hub=hub,
        best=np.float64(0.5),
    )


WHOLE = saved(checkpoint())
OLDER = saved(checkpoint(), _use_new_zipfile_serialization=False)
NUMBERS = torch.arange(64.0).numpy().tobytes()
CHECKPOINTS = {
    'empty': (b'', 'is empty'),
    'text': (b'garbage', 'not a file of torch.save'),
    'page': (b'<!DOCTYPE html>', 'not a file of torch.save'),
    'cut_off': (WHOLE[: len(WHOLE) // 2], 'archive is damaged'),
    'cut_by_a_byte': (WHOLE[:-1], 'archive is damaged'),
    'start_alone': (WHOLE[:4], 'archive is damaged'),
    'weights_changed': (flipped(WHOLE, WHOLE.index(NUMBERS) + 9), 'CRC'),
    'pickle_changed': (flipped(WHOLE, WHOLE.index(b'state_dict')), 'CRC'),
    'compressed': (repacked(WHOLE, compression=zipfile.ZIP_DEFLATED), 'compressed'),
    'bomb': (
        repacked(WHOLE, {'data/0': lambda _: bytes(10**8)}, zipfile.ZIP_DEFLATED),
        'compressed',
    ),
    'storage_missing': (repacked(WHOLE, {'data/0': lambda _: None}), 'for storage'),
    'storage_short': (repacked(WHOLE, {'data/0': lambda part: part[:-4]}), 'for storage'),
    'storage_long': (repacked(WHOLE, {'data/0': lambda part: part * 2}), 'for storage'),
    'pickle_missing': (repacked(WHOLE, {'data.pkl': lambda _: None}), 'not one of torch.save'),
    'byte_order': (repacked(WHOLE, {'byteorder': lambda _: b'big'}), 'another byte order'),
    'numpy_flags': (
        repacked(
            WHOLE,
            {'data.pkl': lambda part: part.replace(b'X\x02\x00\x00\x00f8', b'X\x02\x00\x00\x00O8')},
        ),
        'not of numbers or text',
    ),
    'code': (saved(dict(state_dict=Call(os.system, 'touch attacked'))), 'it calls '),
    'code_in_meta': (saved(dict(meta=Call(eval, '1'))), 'it calls '),
    'a_model': (saved(torch.nn.Linear(1, 1)), 'it calls '),
    'list': (saved([1, 2]), 'holds a list'),
    'tensor': (saved(torch.zeros(2)), 'holds a Tensor'),
    'meta_of_text': (saved(dict(meta='x')), "'meta' that is a str"),
    'sparse': (saved(dict(a=torch.eye(2).to_sparse())), 'it calls '),
    'an_npz': (b'', 'not one of torch.save'),  # filled below
    'older_cut': (OLDER[:-9], 'cut off'),
    'older_cut_in_the_pickle': (OLDER[:200], 'cut off'),
    'older_other_length': (
        OLDER.replace(b'J\x40\x00\x00\x00', b'J\xff\xff\xff\x7f').replace(b'K@', b'K\x7f'),
        'storage',
    ),
    'older_code': (
        saved(dict(a=Call(eval, '1')), _use_new_zipfile_serialization=False),
        'it calls ',
    ),
    'older_no_magic': (pickle.dumps(1) * 5, 'not a file of torch.save'),
}
_npz = io.BytesIO()
np.savez(_npz, a=np.zeros(3))
CHECKPOINTS['an_npz'] = (_npz.getvalue(), 'not one of torch.save')
