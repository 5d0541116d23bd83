# Makes the pickles here: four images each, as Python 2 (opcode by opcode, the layout of the official archives) and
# Python 3 write them. Run in this folder with numpy installed.
import pickle, numpy as np, struct
d=np.arange(4*3072,dtype=np.uint32); d=((d*7+d//1024*31)%256).astype(np.uint8).reshape(4,3072)
T=''
for proto in (2,4,5):
    pickle.dump({b'batch_label':b'training batch 1 of 5',b'labels':[6,9,9,4],b'data':d,b'filenames':[b'a.png',b'b.png',b'c.png',b'd.png']},open(T+'python3-protocol%d.pickle'%proto,'wb'),protocol=proto)
pickle.dump({'fine_labels':[6,99,9,4],'coarse_labels':[1,2,3,4],'data':d},open(T+'cifar100-protocol4.pickle','wb'),protocol=4)
# Python 2's cPickle protocol 2, opcode by opcode, as in the official archives
def s(x): return (b'U'+bytes([len(x)])+x) if len(x)<256 else b'T'+struct.pack('<i',len(x))+x
n=[0]
def put():
    n[0]+=1; return b'q'+bytes([n[0]])
o=b'\x80\x02}'+put()+b'('
o+=s(b'data')+put()+b'cnumpy.core.multiarray\n_reconstruct\n'+put()+b'cnumpy\nndarray\n'+put()+b'K\x00\x85'+put()+s(b'b')+put()+b'\x87'+put()+b'R'+put()
o+=b'(K\x01K\x04M\x00\x0c\x86'+put()+b'cnumpy\ndtype\n'+put()+s(b'u1')+put()+b'K\x00K\x01\x87'+put()+b'R'+put()+b'(K\x03'+s(b'|')+put()+b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t'+put()+b'b\x89'+s(d.tobytes())+put()+b't'+put()+b'b'
o+=s(b'labels')+put()+b']'+put()+b'(K\x06K\x09K\x09K\x04e'+s(b'batch_label')+put()+s(b'training batch 1 of 5')+put()+b'u.'
open(T+'python2-protocol2.pickle','wb').write(o)
assert (pickle.loads(o,encoding='bytes')[b'data']==d).all()

# Small ones for fuzzing: the same structure, two images of three bytes.
m = np.arange(6, dtype=np.uint8).reshape(2, 3)
for proto in (2, 4, 5):
    pickle.dump({b'labels': [6, 9], b'data': m}, open('mini-protocol%d.pickle' % proto, 'wb'), protocol=proto)

# What Python 3 writes at every protocol, and labels as numpy keeps them.
for proto in range(6):
    pickle.dump({'batch_label': 'testing batch 1 of 1', 'labels': [6, 9, 9, 4], 'data': d, 'filenames': ['\u00e9\\n.png', 'b.png', 'c.png', 'd.png']}, open('python3-text-protocol%d.pickle' % proto, 'wb'), protocol=proto)
for kind, labels in dict(tuple=(6, 9, 9, 4), int64=np.array([6, 9, 9, 4]), uint8=np.array([6, 9, 9, 4], dtype=np.uint8), scalars=[np.int64(x) for x in (6, 9, 9, 4)]).items():
    for proto in (0, 2, 5):
        pickle.dump({'labels': labels, 'data': d[:, :]}, open('labels-%s-protocol%d.pickle' % (kind, proto), 'wb'), protocol=proto)
pickle.dump({b'labels': [6, 9], b'data': m}, open('mini-protocol0.pickle', 'wb'), protocol=0)
