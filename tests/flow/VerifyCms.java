// SPDX-License-Identifier: Apache-2.0
// BouncyCastle's verdict of a detached CMS signature: 0 good, 1 bad.
//
//     java -cp … VerifyCms.java SIGNATURE CONTENT ROOT

import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

public class VerifyCms {
    public static void main(String[] args) throws Exception {
        var provider = new BouncyCastleProvider();
        var content = new CMSProcessableByteArray(
                Files.readAllBytes(Path.of(args[1])));
        var data = new CMSSignedData(content,
                Files.readAllBytes(Path.of(args[0])));
        var root = (X509Certificate) CertificateFactory
                .getInstance("X.509", provider)
                .generateCertificate(new FileInputStream(args[2]));
        for (SignerInformation s : data.getSignerInfos()) {
            @SuppressWarnings("unchecked")
            var holder = (X509CertificateHolder) data.getCertificates()
                    .getMatches(s.getSID()).iterator().next();
            var cert = new JcaX509CertificateConverter()
                    .setProvider(provider).getCertificate(holder);
            cert.verify(root.getPublicKey(), provider);
            try {
                if (!s.verify(new JcaSimpleSignerInfoVerifierBuilder()
                        .setProvider(provider).build(cert)))
                    System.exit(1);
            } catch (org.bouncycastle.cms.CMSSignerDigestMismatchException e) {
                System.exit(1);
            }
        }
    }
}
